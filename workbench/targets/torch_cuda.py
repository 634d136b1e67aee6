"""PyTorch on an Nvidia GPU: the problem's torch module, eager, in inference mode.

Each run waits for the device, so that the time is the work's and not the launch's. It refuses
problems with no torch module.
"""

from __future__ import annotations

from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module, version

SUMMARY = "PyTorch eager, on an Nvidia GPU"

_WHEEL = "on a machine with an Nvidia GPU, install a CUDA build of torch (scripts/lab chooses it)"


def probe(index: int) -> Availability:
    """Answer for CUDA device number `index`."""
    found = version("torch")
    if found is None:
        return Availability(False, "torch is not installed", _WHEEL)
    if found.endswith("+cpu"):
        return Availability(False, f"torch {found} is the CPU build", _WHEEL)
    import torch

    if torch.version.cuda is None:
        return Availability(False, f"torch {found} is built without CUDA", _WHEEL)
    if not torch.cuda.is_available():
        return Availability(
            False,
            f"torch {found} is built for CUDA {torch.version.cuda} and finds no GPU and driver",
            "run `nvidia-smi`; install the driver, or use a machine with an Nvidia GPU",
        )
    count = torch.cuda.device_count()
    if index >= count:
        return Availability(
            False, f"there are {count} CUDA devices, none has number {index}", "use a lower number"
        )
    name = torch.cuda.get_device_name(index)
    return Availability(True, f"{name}, torch {found}, CUDA {torch.version.cuda}")


def supports(problem: Problem) -> Availability:
    """Problems with a torch module."""
    return needs_torch_module(problem, "its torch module, eager")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the torch module on CUDA device number `index`."""
    import torch

    from workbench.targets._torch import TorchRunner

    device = f"cuda:{index}"
    runner = TorchRunner(problem, inputs, device, lambda: torch.cuda.synchronize(device))
    runner.device = torch.cuda.get_device_name(index)
    return runner
