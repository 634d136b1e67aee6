"""Running a problem's torch module on one torch device: shared by the ``torch_*`` targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.problem import Arrays, Problem, as_tuple
from workbench.targets import Runner


class TorchRunner(Runner):
    """A problem's torch module on a torch device.

    Parameters
    ----------
    problem : Problem
    inputs : tuple
        Arrays go to the device once, in `load`; scalars are passed as Python numbers.
    device : str
        As torch writes it, for instance ``"cuda:0"``.
    synchronize : callable
        Waits until the device has finished; part of what is timed.
    """

    def __init__(
        self,
        problem: Problem,
        inputs: tuple[Any, ...],
        device: str,
        synchronize: Callable[[], Any] = lambda: None,
    ):
        import torch

        assert problem.torch_module is not None  # `supports` has said so
        self._torch, self._device, self._synchronize = torch, device, synchronize
        self._module = problem.torch_module().eval().to(device)
        self.load(inputs)

    def load(self, inputs: tuple[Any, ...]) -> None:
        """Copy the inputs to the device and forget the outputs."""
        self._inputs = tuple(self._to_device(value) for value in inputs)
        self._outputs: Any = ()
        self._synchronize()

    def _to_device(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return self._torch.tensor(value, device=self._device)
        return value.item() if isinstance(value, np.generic) else value

    def run(self) -> None:
        """Call the module and wait for the device."""
        with self._torch.inference_mode():
            self._outputs = self._module(*self._inputs)
        self._synchronize()

    def fetch(self) -> Arrays:
        """Copy the outputs to the host."""
        return tuple(one.detach().cpu().numpy().copy() for one in as_tuple(self._outputs))

    def close(self) -> None:
        """Drop the tensors, so that the device's memory can be reused."""
        self._inputs, self._outputs = (), ()
