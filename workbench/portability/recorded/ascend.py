"""A recording of Huawei's provider at work, in front of the kernels that a learner writes.

The provider's own doing is played: which nodes it takes, the order and the attributes in which it
calls kernels, its copies and its compiles. The kernels are asked now, with the inputs of now, and
may fail now. Nodes that the provider keeps from the kernels (views, and what stays on the host) are
computed by the workbench's NumPy kernels. A shape that was not recorded raises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.portability.ascend.chip import Chip
from workbench.portability.ascend.device import PROVIDER, mode_options
from workbench.portability.ascend.kernels import Kernel
from workbench.portability.ascend.programs import inferred_values, node_record
from workbench.portability.load import load_model
from workbench.portability.provider.table import KERNELS as NODE_KERNELS
from workbench.portability.recorded.book import Book, NotRecordedError


class RecordedAscendDevice(Chip):
    """A device with the face of `AscendDevice`, under a recording of the provider.

    Parameters
    ----------
    book : Book
    kernels : mapping, optional
        See `Chip`.
    """

    simulated = True

    def __init__(self, book: Book, kernels: Mapping[str, Kernel] | None = None):
        super().__init__(kernels)
        self.book = book
        self.counted: Counter[str] = Counter()

    def open_session(self, model: Any, mode: str = "graph") -> RecordedAscendSession:
        """Return the recorded session of a model.

        Raises
        ------
        NotRecordedError
            Where this model was not recorded in this mode.
        """
        mode_options(mode)
        model = load_model(model)
        entry = self.book.entry(model, "session", PROVIDER, mode)
        self.counted.update(entry["opened"])
        return RecordedAscendSession(self, model, entry)

    def counters(self, *, reset: bool = False) -> dict[str, int]:
        """Return the recorded copies, bytes, kernels and compiles of what was played so far."""
        names = self.book.entries["counters"]
        found = {name: self.counted[name] for name in names}
        if reset:
            self.counted.clear()
            self.runs.clear()
        return found

    def close(self) -> None:
        """Nothing to end: no worker was started."""

    def __enter__(self) -> RecordedAscendDevice:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class RecordedAscendSession:
    """A recorded session: the provider's calls in their order, the learner's kernels now."""

    def __init__(self, device: RecordedAscendDevice, model: Any, entry: Mapping[str, Any]):
        self.device, self.model, self.entry = device, model, entry
        self.provider, self.assigned = PROVIDER, entry["assigned"]
        constants = {constant.name for constant in model.graph.initializer}
        inputs = (value.name for value in model.graph.input)
        self.input_names = tuple(name for name in inputs if name not in constants)
        self.output_names = tuple(value.name for value in model.graph.output)
        self._programs: dict[str, int] = {}

    def nodes_by_provider(self) -> dict[str, list[str]]:
        """Return the names of the nodes under the provider each was assigned to."""
        placed: dict[str, list[str]] = {}
        for provider, nodes in self.assigned:
            placed.setdefault(provider, []).extend(name or kind for name, kind, _ in nodes)
        return placed

    def run(self, inputs: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> list[np.ndarray]:
        """Play a run on inputs of recorded shapes; inputs by name or in the model's order."""
        if not isinstance(inputs, Mapping):
            inputs = dict(zip(self.input_names, inputs, strict=False))
        if set(inputs) != set(self.input_names):
            raise InputError(
                f"The model takes {len(self.input_names)} inputs.",
                f"given: {', '.join(inputs) or 'none'}",
                f"in this order: {', '.join(self.input_names)}",
            )
        feeds = {name: np.asarray(inputs[name]) for name in self.input_names}
        steps = self._steps(feeds)
        return _Play(self, feeds).through(steps)

    def _steps(self, feeds: Mapping[str, np.ndarray]) -> list[Any]:
        shapes = shapes_key(feeds)
        recorded = self.entry["runs"].get(shapes)
        if recorded is None:
            raise NotRecordedError(
                "The recording has no run on inputs of these shapes.",
                f"{shapes}; recorded: {' | '.join(self.entry['runs'])}; {self.device.book.caption}",
                "use one of these, or install the build: `workbench providers add cann`",
            )
        return recorded["again" if shapes in self._programs else "first"]


def shapes_key(feeds: Mapping[str, np.ndarray]) -> str:
    """Return inputs' shapes as the provider writes them: ``x:2,3;y:1``."""
    return ";".join(f"{name}:{','.join(map(str, np.shape(v)))}" for name, v in feeds.items())


class _Play:
    """One run: the values so far, and the recorded steps one by one."""

    def __init__(self, session: RecordedAscendSession, feeds: dict[str, np.ndarray]):
        import onnx

        self.session, self.device, self.feeds = session, session.device, feeds
        self.values: dict[str, Any] = dict(feeds)
        model = onnx.ModelProto()
        model.CopyFrom(session.model)
        for constant in model.graph.initializer:
            self.values[constant.name] = onnx.numpy_helper.to_array(constant)
        typed = inferred_values(model, {name: value.shape for name, value in feeds.items()})
        version = {entry.domain: entry.version for entry in model.opset_import}
        self.nodes = [node_record(n, typed, version.get(n.domain, 1)) for n in model.graph.node]

    def through(self, steps: list[Any]) -> list[np.ndarray]:
        for what, detail, counted in steps:
            self.device.counted.update(counted)
            getattr(self, f"_{what}")(detail)
        missing = [name for name in self.session.output_names if name not in self.values]
        if missing:
            raise NotRecordedError(
                "The recording ends here: when it was made, this run failed.",
                f"not computed: {', '.join(missing)}; {self.device.book.caption}",
                "install the build to go on: `workbench providers add cann`",
            )
        self.session._programs.setdefault(shapes_key(self.feeds), -1)
        return [self.values[name] for name in self.session.output_names]

    def _kernel(self, call: Mapping[str, Any]) -> None:
        inputs = [None if name is None else self.values[name] for name in call["inputs"]]
        made = self.device.operator({**call, "inputs": inputs})
        self.values.update(zip(call["names"], made, strict=True))

    def _node(self, index: int) -> None:
        node = self.nodes[index]
        given = [self.values[value.name] if value else None for value in node.inputs]
        results = NODE_KERNELS[node.operator].function(node, *given)
        results = results if isinstance(results, tuple) else (results,)
        for value, result in zip(node.outputs, results, strict=False):
            if value:
                self.values[value.name] = np.asarray(result, value.dtype)

    def _build(self, shapes: str) -> None:
        body = {"onnx": self.session.model.SerializeToString(), "shapes": shapes}
        self.session._programs[shapes_key(self.feeds)] = self.device.build(body)["key"]

    def _run(self, _: Any) -> None:
        key = self.session._programs[shapes_key(self.feeds)]
        made = self.device.run({"program": key, "inputs": list(self.feeds.values())})
        self.values.update(zip(self.session.output_names, made, strict=True))

    def _rest(self, _: Any) -> None:
        """Count only: what the provider did after its last question."""
