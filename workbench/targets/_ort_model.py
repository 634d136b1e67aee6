"""A model's bytes in a session on one provider, in whichever process this is imported.

It is imported by other builds' interpreters, too, and so by environments that hold a runtime and
NumPy and nothing else: no torch, no onnx. Arrays lie where the provider computes and outputs stay
there (an I/O binding), so that what is timed is the run and not the copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.errors import InputError, WorkbenchError
from workbench.measurement import Availability
from workbench.portability._ort import onnxruntime
from workbench.portability.session import CPU, Session, open_session
from workbench.problem import Arrays
from workbench.targets import Runner
from workbench.targets._driver import device_name, missing_driver

_NEEDS = {
    "CANNExecutionProvider": "on a machine with an Ascend NPU, install CANN and source its "
    "set_env.sh; `npu-smi info` must list the chip",
    "CUDAExecutionProvider": "on a machine with an Nvidia GPU, install its driver, CUDA and cuDNN; "
    "`nvidia-smi` must list the GPU",
}


def look(
    provider: str, options: Mapping[str, object] | None, addition: bytes
) -> Availability | None:
    """Return why the provider does not add one and one here, or None where it does."""
    one = np.ones(1, np.float32)
    try:
        (got,) = open_session(addition, provider, options=options, whole_graph=True).run([one, one])
    except WorkbenchError as error:
        build = onnxruntime().__version__
        said = error.saw.rsplit(") ", 1)[-1].strip()  # without the C++ signature before it
        missing = missing_driver(provider) or f"{provider} does not start here"
        return Availability(
            False,
            f"{missing}; onnxruntime {build} says of {provider}: {said}",
            _NEEDS.get(provider, "install the driver and libraries that the provider needs"),
        )
    if got[0] != 2:
        return Availability(
            False, f"{provider} says that 1 + 1 is {got[0]}", "reinstall it and its driver"
        )
    return None


class ModelRunner(Runner):
    """A model in a session on one provider.

    Parameters
    ----------
    model : bytes
    provider : str
        As ONNX Runtime spells it.
    inputs : tuple
        NumPy arrays and scalars, in the model's order; plain Python numbers are constants in the
        model and cannot change.
    placing : mapping
        ``options``: the provider's. ``memory``: where its arrays lie, as the runtime's binding
        calls it (``"cpu"``, ``"cuda"``, ``"cann"``). ``index``: the device's number.
    """

    def __init__(
        self, model: bytes, provider: str, inputs: tuple[Any, ...], placing: Mapping[str, Any]
    ):
        self._memory, self._index = placing.get("memory", "cpu"), placing.get("index", 0)
        self._constants = _constants(inputs)
        self._session: Any = open_session(model, provider, options=placing.get("options"))
        self.notes = _left_to_the_host(self._session)
        self.load(inputs)
        self.device = device_name(self._memory, self._index)

    def load(self, inputs: tuple[Any, ...]) -> None:
        """Copy the inputs to the device.

        Raises
        ------
        InputError
            Where a constant of the model would have to change.
        """
        if _constants(inputs) != self._constants:
            raise InputError(
                "A plain Python number among the inputs is a constant in the exported model.",
                f"{self._constants} became {_constants(inputs)}",
                "make it a NumPy scalar in the problem's inputs, such as np.float32(2)",
            )
        values = [np.array(one) for one in inputs if is_fed(one)]
        place = (self._memory, self._index)
        self._held: list[Any] = [
            onnxruntime().OrtValue.ortvalue_from_numpy(np.ascontiguousarray(one), *place)
            for one in values
        ]
        self._binding: Any = self._session.raw.io_binding()
        for name, held in zip(self._session.input_names, self._held, strict=True):
            self._binding.bind_ortvalue_input(name, held)
        for name in self._session.output_names:
            self._binding.bind_output(name, *place)

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
        self._held, self._binding, self._session = [], None, None


def is_fed(value: Any) -> bool:
    """Say whether a value is an input of the model rather than a constant in it."""
    return isinstance(value, (np.ndarray, np.generic))


def _constants(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(one for one in inputs if not is_fed(one))


def _left_to_the_host(session: Session) -> tuple[str, ...]:
    """Return a note where the provider left nodes to the processor, as far as the build can say."""
    if session.provider == CPU:
        return ()
    if not hasattr(session.raw, "get_provider_graph_assignment_info"):
        return ("this build does not say which nodes were left to the host's processor",)
    placed = session.nodes_by_provider()
    on_host = len(placed.get(CPU, ()))
    total = sum(len(nodes) for nodes in placed.values())
    return (f"{on_host} of {total} nodes run on the host's processor",) if on_host else ()
