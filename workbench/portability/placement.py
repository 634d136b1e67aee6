"""Where the nodes of a model run: the records that a preview returns, and what they are read from.

The runtime's own record of assignments, the graph it writes with the copies it put in, and what the
providers log; `reconciling` holds them against each other. It refuses to open sessions (`preview`
does).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
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
        The provider that has it; empty where none has.
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

    def __str__(self) -> str:
        size = "of open size" if self.bytes_moved is None else f"{self.bytes_moved:,} bytes"
        return f"{self.value} {self.direction}, {size}"


@dataclass(frozen=True)
class Change:
    """What the runtime's optimisation did to a node, between the model and what runs.

    Attributes
    ----------
    node, operator : str
    what : str
        ``"fused"``, ``"folded into a constant"``, ``"removed"`` or ``"made by optimisation"``;
        where no optimised graph is written ``"gone before assignment"`` and ``"made before
        assignment"``.
    into : str
        The node it was fused into.
    """

    node: str
    operator: str
    what: str
    into: str = ""


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
    changes : tuple of Change
        What optimisation did to the nodes, which explains what the sources do not share.
    sources : tuple of str
        What each of the three sources holds, or why it was not to be had.
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
    changes: tuple[Change, ...] = ()
    sources: tuple[str, ...] = ()

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
        off = Counter(node.operator for node in self.refused if node.provider)
        nobody = Counter(node.operator for node in self.nodes if not node.provider)
        text = f"{name} takes {self.on_device} of {len(self.nodes)} nodes"
        text += f" ({self.mode})" if self.mode else ""
        if off:
            text += "; on the CPU: " + ", ".join(f"{n} {op}" for op, n in off.most_common(4))
            text += ", ..." if len(off) > 4 else ""
        if nobody:
            text += "; no provider has " + ", ".join(f"{n} {op}" for op, n in nobody.items())
        if self.copies:
            plural = "copy is" if len(self.copies) == 1 else "copies are"
            text += f"; {len(self.copies)} {plural} inserted"
        failed = [run for run in self.runs if run.get("error")]
        text += ". Running it failed." if failed else "."
        if self.disagreements:
            text += f" Its sources disagree: {len(self.disagreements)}."
        return text + (f" (R{self.recorded[1:]}.)" if self.recorded else "")

    @property
    def optimised(self) -> tuple[str, ...]:
        """What optimisation did to the nodes, in words: one for each kind of change."""
        kinds: dict[str, Counter[str]] = {}
        for change in self.changes:
            kinds.setdefault(change.what, Counter())[change.operator] += 1
        return tuple(
            f"{what}: " + ", ".join(f"{count} {operator}" for operator, count in seen.items())
            for what, seen in kinds.items()
        )

    def explain(self) -> str:
        """Return the answer with its sources, what explains them, and where they disagree."""
        lines = [self.sentence, *self.sources, *self.optimised]
        lines += [f"they disagree: {words}" for words in self.disagreements]
        lines += [f"copy: {copy}" for copy in self.copies]
        return "\n".join((*lines, *self.notes))

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON, for the report and the widget."""
        data = asdict(self)
        data.update(
            on_device=self.on_device,
            optimised=list(self.optimised),
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


def last_line(text: str) -> str:
    """Return the last line of what a runtime said: the reason, after the places in its source."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else ""


def memory_copies(
    graph: onnx.ModelProto, shapes: Mapping[str, Sequence[int]] | None = None
) -> tuple[Copy, ...]:
    """Return the copies in a graph that the runtime wrote, with their bytes where known.

    Parameters
    ----------
    graph : onnx.ModelProto
    shapes : mapping, optional
        Shapes of inputs in a run, where the model leaves dimensions open.
    """
    import onnx

    known = onnx.ModelProto()
    known.CopyFrom(graph)
    for value in known.graph.input:
        dims = value.type.tensor_type.shape.dim
        for dim, size in zip(dims, (shapes or {}).get(value.name, ()), strict=False):
            dim.dim_value = size
    del known.graph.value_info[:]  # open dimensions there would stand in the way of the sizes
    inferred = onnx.shape_inference.infer_shapes(known, data_prop=True).graph
    typed = {}
    for value in (*graph.graph.value_info, *inferred.value_info, *known.graph.input):
        typed[value.name] = value.type.tensor_type
    for value in graph.graph.output:
        typed.setdefault(value.name, value.type.tensor_type)
    for constant in graph.graph.initializer:
        info = onnx.helper.make_tensor_type_proto(constant.data_type, constant.dims)
        typed[constant.name] = info.tensor_type
    directions = {"MemcpyFromHost": "to device", "MemcpyToHost": "from device"}
    copies = []
    for node in graph.graph.node:
        if node.op_type in directions:
            ends = (typed.get(node.input[0]), typed.get(node.output[0]))
            sizes = [size for size in map(_bytes, ends) if size is not None]
            copies.append(Copy(node.input[0], directions[node.op_type], next(iter(sizes), None)))
    return tuple(copies)


def _bytes(tensor: Any) -> int | None:
    if tensor is None or not tensor.HasField("shape") or tensor.elem_type not in DTYPES:
        return None
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None
    count = int(np.prod([dim.dim_value for dim in tensor.shape.dim], dtype=np.int64))
    return count * DTYPES[tensor.elem_type].itemsize
