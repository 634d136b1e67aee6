"""The shelf's CUDA kernels on a real Nvidia GPU, compiled by Numba.

The same files as the workbench's own engine runs, with ``workbench.cuda`` meaning ``numba.cuda``.
Inputs go to the device once; only launches are timed. It refuses Numba's simulator: that is no
GPU, and a number from it under this name would be a lie.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from workbench.errors import UnavailableError
from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import version
from workbench.targets._shelf import LaunchRunner, choose, has_kernel, load_with

SUMMARY = "CUDA kernels of the shelf on an Nvidia GPU, compiled by Numba"
DIALECT = "cuda"

_INSTALL = "on a machine with an Nvidia GPU: pip install --editable '.[gpu]'"


def probe(index: int) -> Availability:
    """Answer for CUDA device number `index`."""
    if find_spec("numba_cuda") is None:
        return Availability(False, "the package numba-cuda is not installed", _INSTALL)
    if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
        return Availability(
            False, "NUMBA_ENABLE_CUDASIM is set, and the simulator is no GPU", "unset it"
        )
    from numba import cuda

    if not cuda.is_available():
        return Availability(
            False,
            f"numba-cuda {version('numba-cuda')} finds no GPU and driver",
            "run `nvidia-smi`; install the driver, or use a machine with an Nvidia GPU",
        )
    count = len(cuda.gpus)
    if index >= count:
        return Availability(
            False, f"there are {count} CUDA devices, none has number {index}", "use a lower number"
        )
    name = cuda.gpus[index].name
    name = name.decode() if isinstance(name, bytes) else name
    return Availability(True, f"{name}, numba-cuda {version('numba-cuda')}")


def supports(problem: Problem) -> Availability:
    """Problems with a CUDA kernel on the shelf."""
    return has_kernel(problem, DIALECT)


def prepare(
    problem: Problem, inputs: tuple[Any, ...], *, index: int = 0, kernel: str | None = None
) -> Runner:
    """Return a runner of one shelf kernel on CUDA device number `index`.

    Raises
    ------
    UnavailableError
        Where another device is already current in this thread.
    """
    from numba import cuda

    cuda.select_device(index)
    current = cuda.get_current_device().id
    if current != index:
        raise UnavailableError(
            f"The kernel was to run on CUDA device {index}.",
            f"device {current} is current",
            "use one process for each device",
        )
    runner = on_cuda(problem, inputs, kernel)
    name = cuda.get_current_device().name
    runner.device = name.decode() if isinstance(name, bytes) else str(name)
    return runner


def on_cuda(problem: Problem, inputs: tuple[Any, ...], kernel: str | None) -> Runner:
    """Return the runner on whatever ``numba.cuda`` means in this process."""
    from numba import cuda

    module = load_with(choose(problem, DIALECT, kernel), cuda)
    return LaunchRunner(
        problem,
        inputs,
        module.launch,
        to_device=cuda.to_device,
        to_host=lambda array: array.copy_to_host(),
        synchronize=cuda.synchronize,
    )
