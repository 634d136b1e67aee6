"""Where the nodes of a model run: the records, and how three sources are brought together.

The runtime's own record of assignments is left incomplete by some providers; the graph it writes
shows the copies it put in; the profile shows what ran. `reconcile` puts them side by side and
shows where they disagree, rather than believing one. It refuses to open sessions (`preview` does).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.measurement import Provenance
from workbench.portability.provider.graph import DTYPES

if TYPE_CHECKING:
    import onnx

CPU = "CPUExecutionProvider"


@dataclass(frozen=True)
class NodePlacement:
    """One node and where it runs.

    Attributes
    ----------
    name, operator : str
    provider : str
        The provider that has it.
    reason : str
        Why it is not on the provider that was asked for; empty where it is.
    """

    name: str
    operator: str
    provider: str
    reason: str = ""


@dataclass(frozen=True)
class Copy:
    """A copy between the host and the device that the runtime put in.

    Attributes
    ----------
    value : str
        What is copied.
    direction : str
        ``"to device"`` or ``"from device"``.
    bytes_moved : int or None
        None where a dimension is open.
    """

    value: str
    direction: str
    bytes_moved: int | None


@dataclass(frozen=True)
class Placement:
    """The answer to "will it run there?".

    Attributes
    ----------
    provider, mode : str
    opset : int
    nodes : tuple of NodePlacement
        In the graph's order.
    copies : tuple of Copy
    runs : tuple of dict
        One for each run that was tried: input shapes, copies and bytes counted, kernels, compiles,
        and the error where it failed.
    disagreements : tuple of str
        Where the three sources do not say the same.
    simulated : bool
        Whether a stand-in took the place of the vendor's libraries.
    notes : tuple of str
    recorded : str
        Where and when it was recorded; empty where the provider was asked now.
    """

    provider: str
    mode: str
    opset: int
    nodes: tuple[NodePlacement, ...]
    copies: tuple[Copy, ...]
    runs: tuple[dict[str, Any], ...]
    disagreements: tuple[str, ...]
    simulated: bool
    notes: tuple[str, ...] = ()
    recorded: str = ""

    @property
    def provenance(self) -> Provenance:
        """How it was obtained: observed here and now, or recorded."""
        return Provenance.RECORDED if self.recorded else Provenance.MEASURED

    @property
    def on_device(self) -> int:
        """How many nodes the provider has."""
        return sum(node.provider == self.provider for node in self.nodes)

    @property
    def refused(self) -> tuple[NodePlacement, ...]:
        """The nodes that the provider does not have."""
        return tuple(node for node in self.nodes if node.provider != self.provider)

    @property
    def crossings(self) -> int:
        """How many neighbours in the order of execution are in different places."""
        places = [node.provider == self.provider for node in self.nodes]
        return sum(a != b for a, b in pairwise(places))

    @property
    def sentence(self) -> str:
        """Return the answer in one sentence."""
        name = self.provider.removesuffix("ExecutionProvider")
        off = Counter(node.operator for node in self.refused)
        text = f"{name} takes {self.on_device} of {len(self.nodes)} nodes"
        text += f" ({self.mode})" if self.mode else ""
        if off:
            text += "; on the CPU: " + ", ".join(f"{n} {op}" for op, n in off.most_common(4))
            text += ", ..." if len(off) > 4 else ""
        if self.copies:
            plural = "copy is" if len(self.copies) == 1 else "copies are"
            text += f"; {len(self.copies)} {plural} inserted"
        failed = [run for run in self.runs if run.get("error")]
        text += ". Running it failed." if failed else "."
        return text + (f" (R{self.recorded[1:]}.)" if self.recorded else "")

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON, for the report and the widget."""
        data = asdict(self)
        data.update(
            on_device=self.on_device,
            crossings=self.crossings,
            sentence=self.sentence,
            provenance=self.provenance.value,
        )
        return data


# What the providers themselves log about a node that they leave, at the level of information.
_LOGGED = (
    (
        re.compile(r"kernel not found in registries for Op type: (\S+) node name: (\S*)"),
        "the provider has no kernel for this operator at this opset and these types",
    ),
    (
        re.compile(r"Force fallback to CPU execution for node:? ?()(\S+)"),
        "the runtime keeps it on the CPU: it computes shapes, and a copy would cost more",
    ),
    (
        re.compile(r"ORT optimization- Force fallback to CPU execution for node: ()(\S+)"),
        "the runtime keeps it on the CPU: it computes shapes, and a copy would cost more",
    ),
)


def logged_reasons(log: str) -> dict[str, str]:
    """Return node name to reason, from what the providers logged while a session was made."""
    found = {}
    for pattern, reason in _LOGGED:
        for match in pattern.finditer(log):
            found.setdefault(match.group(2), reason)
    return found


def memory_copies(graph: onnx.ModelProto) -> tuple[Copy, ...]:
    """Return the copies in a graph that the runtime wrote, with their bytes where known."""
    import onnx

    typed = {}
    inferred = onnx.shape_inference.infer_shapes(graph)
    for value in (*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output):
        typed[value.name] = value.type.tensor_type
    directions = {"MemcpyFromHost": "to device", "MemcpyToHost": "from device"}
    copies = []
    for node in graph.graph.node:
        if node.op_type in directions:
            tensor = typed.get(node.input[0]) or typed.get(node.output[0])
            copies.append(Copy(node.input[0], directions[node.op_type], _bytes(tensor)))
    return tuple(copies)


def _bytes(tensor: Any) -> int | None:
    if tensor is None or not tensor.HasField("shape") or tensor.elem_type not in DTYPES:
        return None
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    count = int(np.prod([dim.dim_value for dim in tensor.shape.dim], dtype=np.int64))
    return count * DTYPES[tensor.elem_type].itemsize


def reconcile(
    nodes: Iterable[NodePlacement], profile: Sequence[tuple[str, str, str, int]], provider: str
) -> tuple[str, ...]:
    """Return where the assignment record and the profile disagree, one sentence each.

    Parameters
    ----------
    nodes : iterable of NodePlacement
        From the assignment record.
    profile : sequence
        ``(provider, operator, event, count)`` of the nodes that ran; events end in
        ``_kernel_time``.
    provider : str
        The one that was asked for.
    """
    nodes = list(nodes)
    broken = [count for where, _, event, count in profile if not where and "cannot" in event]
    if broken:
        return (
            f"the profile was not held against the record: {broken[0]} of its lines cannot be "
            "read, as the runtime does not escape names",
        )
    ran = {event.removesuffix("_kernel_time"): where for where, _, event, _ in profile}
    found = [
        f"{node.name}: assigned to {node.provider}, ran on {ran[node.name]}"
        for node in nodes
        if node.name in ran and ran[node.name] != node.provider
    ]
    assigned = sum(node.provider == provider for node in nodes)
    executed = sum(where == provider for where in ran.values())
    if profile and assigned and not executed:
        found.append(f"{assigned} nodes are assigned to {provider}, and it ran none")
    if profile and executed and not assigned:
        found.append(f"no node is recorded as assigned to {provider}, and it ran {executed}")
    return tuple(found)
