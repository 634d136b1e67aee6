"""A recording of ONNX Runtime's questions to a provider of one's own, where there is no compiler.

The runtime reaches a provider through a compiled library. Without one, this plays what the runtime
asked: the nodes it offered, the groups it made of those that were taken. The answers are the
provider's own, now, and so are its kernels; the nodes that it leaves run on ONNX Runtime's CPU.
A set of answers that was not recorded raises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import InputError, KernelError
from workbench.portability.load import load_model
from workbench.portability.provider.engine import Kernel, Program, Provider
from workbench.portability.provider.graph import Node, node_of
from workbench.portability.provider.library import NAME
from workbench.portability.recorded.book import Book, NotRecordedError
from workbench.portability.session import CPU, SessionError, open_session


class RecordedProvider(Provider):
    """A provider under a recording of the runtime's questions.

    Parameters
    ----------
    book : Book
    kernels : mapping, optional
        See `Provider`.
    """

    def __init__(self, book: Book, kernels: Mapping[str, Kernel] | None = None):
        super().__init__(kernels)
        self.book = book

    def open_session(self, model: Any, **arguments: Any) -> RecordedProviderSession:
        """Answer the recorded questions about a model, and return a session that plays.

        Raises
        ------
        NotRecordedError
            Where the model was not recorded, or not with these nodes taken.
        """
        if arguments:
            raise NotRecordedError(
                "A recorded session has no settings.",
                ", ".join(arguments),
                "leave them out, or install a C++ compiler",
            )
        from onnx import numpy_helper

        model = load_model(model) if isinstance(model, (str, bytes, Path)) else model
        entry = self.book.entry(model, "session", NAME)
        nodes = [node_of(entry) for entry in entry["nodes"]]
        talk = self._conversation(entry["conversations"], nodes)
        constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
        for name, (dtype, shape, values) in entry["folded"].items():
            constants[name] = np.array(values, dtype).reshape(shape)
        return RecordedProviderSession(self, model, constants, nodes, talk)

    def _conversation(self, recorded: list[Any], nodes: list[Node]) -> Mapping[str, Any]:
        """Answer the recorded questions one by one; return the conversation that went so."""
        left, turn, said = list(recorded), 0, ""
        while left and turn < len(left[0]["turns"]):
            asked = [nodes[index] for index in left[0]["turns"][turn][0]]
            said = "".join("01"[answer] for answer in self.claims(asked))
            left = [one for one in left if one["turns"][turn][1] == said]
            turn += 1
        if not left:
            raise NotRecordedError(
                "The recording has no session in which just these nodes are taken.",
                f"taken (1) and left (0), in the graph's order: {said}; {self.book.caption}",
                "take the nodes that the notebook takes, or install a C++ compiler",
            )
        return left[0]


class RecordedProviderSession:
    """A session that plays the runtime: the provider's groups now, the rest on the CPU."""

    def __init__(
        self,
        provider: Provider,
        model: Any,
        constants: dict[str, Any],
        nodes: list[Node],
        talk: Mapping[str, Any],
    ):
        self.provider, self.assigned, self.constants = NAME, talk["assigned"], constants
        given = (value.name for value in model.graph.input)
        self.input_names = tuple(name for name in given if name not in self.constants)
        self.output_names = tuple(value.name for value in model.graph.output)
        self._units: list[Any] = []
        taken: set[int] = set()
        for members, fused in talk["groups"]:
            taken |= set(members)
            group = [nodes[index] for index in members]
            self._units.append(Program(provider, group, nodes[fused]))
        last = talk["turns"][-1][0]
        self._units += [_OnCpu(nodes[i], model) for i in last if i not in taken]

    def nodes_by_provider(self) -> dict[str, list[str]]:
        """Return the names of the nodes under the provider each was assigned to."""
        return {provider: list(names) for provider, names in self.assigned}

    def run(self, inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> list[np.ndarray]:
        """Run once; inputs by name or in the model's order."""
        if not isinstance(inputs, Mapping):
            inputs = dict(zip(self.input_names, inputs, strict=False))
        if set(inputs) != set(self.input_names):
            raise InputError(
                f"The model takes {len(self.input_names)} inputs.",
                f"given: {', '.join(inputs) or 'none'}",
                f"in this order: {', '.join(self.input_names)}",
            )
        values: dict[str | None, Any] = {None: None, **self.constants, **inputs}
        waiting = list(self._units)
        while waiting:
            unit = next((u for u in waiting if all(name in values for name in u.inputs)), None)
            if unit is None:
                raise NotRecordedError(
                    "The recorded graph cannot be run on this model.",
                    f"missing: {sorted({n for u in waiting for n in u.inputs} - set(values))}",
                    "record it again: scripts/record_providers",
                )
            waiting.remove(unit)
            names = [value.name for value in unit.outputs if value is not None]
            values.update(zip(names, _guarded(unit, [values[n] for n in unit.inputs]), strict=True))
        return [values[name] for name in self.output_names]


def _guarded(unit: Any, given: list[Any]) -> list[np.ndarray]:
    try:
        return unit.run(given)
    except KernelError as cause:  # as the runtime would report it
        raise SessionError(
            f"The model failed while it ran on {NAME}.",
            f"{cause.happened} {cause.saw}",
            "look at the kernel: it is your function",
        ) from cause


class _OnCpu:
    """One node that the provider left, on ONNX Runtime's CPU."""

    def __init__(self, node: Node, model: Any):
        from onnx import ValueInfoProto, helper

        self.inputs = [value.name if value else None for value in node.inputs]
        self.outputs = node.outputs
        graph = helper.make_graph(
            [_as_onnx(node)],
            "one_node",
            [
                helper.make_tensor_value_info(
                    v.name, helper.np_dtype_to_tensor_dtype(v.dtype), None
                )
                for v in dict.fromkeys(node.inputs)
                if v is not None and v.dtype is not None
            ],
            [ValueInfoProto(name=v.name) for v in node.outputs if v is not None],
        )
        alone = helper.make_model(
            graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
        )
        self.session = open_session(alone, CPU)

    def run(self, arrays: list[Any]) -> list[np.ndarray]:
        given = dict(zip(self.inputs, arrays, strict=True))
        return self.session.run({name: given[name] for name in self.session.input_names})


def _as_onnx(node: Node) -> Any:
    from onnx import helper, numpy_helper

    def said(value: Any) -> Any:
        return numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value

    return helper.make_node(
        node.operator,
        [value.name if value else "" for value in node.inputs],
        [value.name if value else "" for value in node.outputs],
        name=node.name,
        domain=node.domain,
        **{name: said(value) for name, value in node.attributes.items()},
    )
