"""Running a problem's ONNX model on one execution provider: shared by the ``ort_*`` targets.

The model is exported from the problem's torch module for the shapes at hand. Arrays lie where the
provider computes and outputs stay there (an I/O binding), so that what is timed is the run and not
the copies. That the provider asked for is the one that runs is `workbench.portability.session`'s
promise: it raises otherwise. Where the provider left nodes to the host's processor, a note beside
the numbers says how many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from workbench.measurement import Availability
from workbench.portability.session import CPU, Session, open_session, provider_availability
from workbench.problem import Arrays, Problem
from workbench.targets import Runner


def probe_provider(provider: str, options: Mapping[str, object] | None = None) -> Availability:
    """Say whether `provider` runs here, by running one addition on it.

    Being built into the runtime is not enough: its driver may be missing, and then the runtime
    would land on the processor without a word.
    """
    found = provider_availability(provider)
    if not found:
        return found
    session = open_session(_one_addition(), provider, options=options, whole_graph=True)
    one = np.ones(1, np.float32)
    (got,) = session.run([one, one])
    if got[0] != 2:
        return Availability(
            False, f"{provider} says that 1 + 1 is {got[0]}", "reinstall it and its driver"
        )
    return found


class OrtRunner(Runner):
    """A problem's exported model in a session on one provider.

    Parameters
    ----------
    provider : str
        As ONNX Runtime spells it.
    problem : Problem
    inputs : tuple
        NumPy scalars are inputs of the model like arrays; plain Python numbers become constants
        in it, and the model is made again when they change.
    options : mapping, optional
        The provider's.
    memory : str
        Where its arrays lie, as ONNX Runtime's binding calls it: ``"cpu"``, ``"cuda"``, ``"cann"``.
    index : int
        The device's number.
    """

    def __init__(
        self,
        provider: str,
        problem: Problem,
        inputs: tuple[Any, ...],
        *,
        options: Mapping[str, object] | None = None,
        memory: str = "cpu",
        index: int = 0,
    ):
        self._provider, self._problem, self._options = provider, problem, options
        self._memory, self._index = memory, index
        self._made_for: tuple[Any, ...] = ()
        self._session: Any = None
        self._binding: Any = None
        self._held: list[Any] = []
        self.load(inputs)

    def load(self, inputs: tuple[Any, ...]) -> None:
        """Copy the inputs to the device; make the session anew where a constant changed."""
        signature = _signature(inputs)
        if signature != self._made_for:
            self._session = self._open(inputs)
            self._made_for = signature
        from workbench.portability._ort import onnxruntime

        self._binding = self._session.raw.io_binding()
        values = [np.ascontiguousarray(one) for one in inputs if _is_fed(one)]
        self._held = [
            onnxruntime().OrtValue.ortvalue_from_numpy(one.copy(), self._memory, self._index)
            for one in values
        ]
        for name, held in zip(self._session.input_names, self._held, strict=True):
            self._binding.bind_ortvalue_input(name, held)
        for name in self._session.output_names:
            self._binding.bind_output(name, self._memory, self._index)

    def _open(self, inputs: tuple[Any, ...]) -> Session:
        assert self._problem.torch_module is not None  # `supports` has said so
        model = _exported(self._problem.torch_module, _signature(inputs), _Held(inputs))
        session = open_session(model, self._provider, options=self._options)
        if self._provider != CPU:
            placed = session.nodes_by_provider()
            on_host = len(placed.get(CPU, ()))
            total = sum(len(nodes) for nodes in placed.values())
            if on_host:
                self.notes = (f"{on_host} of {total} nodes run on the host's processor",)
        return session

    def run(self) -> None:
        """Run the session and wait for its outputs."""
        self._session.raw.run_with_iobinding(self._binding)
        self._binding.synchronize_outputs()

    def fetch(self) -> Arrays:
        """Copy the outputs to the host."""
        outputs = self._binding.get_outputs()
        return tuple(np.array(one.numpy()) for one in outputs if one.has_value())

    def close(self) -> None:
        """Drop the session and the arrays."""
        self._held = []
        self._binding = self._session = None
        self._made_for = ()


class _Held:
    """Inputs that travel beside a cache's key without being part of it."""

    def __init__(self, inputs: tuple[Any, ...]):
        self.inputs = inputs

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


def _is_fed(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.generic))


def _signature(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        (np.shape(one), np.asarray(one).dtype.str) if _is_fed(one) else (type(one), one)
        for one in inputs
    )


@lru_cache(maxsize=16)
def _exported(torch_module: Callable[[], Any], signature: tuple[Any, ...], held: _Held) -> bytes:
    """Export a problem's torch module for the shapes of `signature`."""
    import torch

    from workbench.portability.exporting import export

    example = tuple(torch.tensor(one) if _is_fed(one) else one for one in held.inputs)
    return export(torch_module(), example).model.SerializeToString()


@lru_cache(maxsize=1)
def _one_addition() -> bytes:
    """Return a model that adds two vectors of one element: the least that can be run."""
    from onnx import TensorProto, helper

    vectors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "abc"]
    node = helper.make_node("Add", ["a", "b"], ["c"])
    graph = helper.make_graph([node], "one_addition", vectors[:2], vectors[2:])
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
