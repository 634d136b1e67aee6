"""PyTorch on the workbench's own device: the problem's torch module on ``wb:0`` or ``wb:1``.

Runs in a process where PrivateUse1 is still free, so in a race's child of its own. It refuses
problems with no torch module, and a device that `WORKBENCH_DEVICE_COUNT` does not make.
"""

from __future__ import annotations

import os
from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module, version

SUMMARY = "PyTorch eager, on the workbench's own device"
_COUNTS = tuple(str(count) for count in range(1, 9))
"""As `workbench.torch_device.core.memory` reads them; importing that would import torch."""


def probe(index: int) -> Availability:
    """Answer for the device; importing torch waits until something runs."""
    found = version("torch")
    if found is None:
        return Availability(
            False, "torch is not installed", "pip install torch, or run scripts/lab"
        )
    if not found.startswith("2.13"):
        return Availability(
            False, f"the device is written for torch 2.13, this is {found}",
            'pip install "torch==2.13.*"',
        )  # fmt: skip
    count = os.environ.get("WORKBENCH_DEVICE_COUNT", "2")
    if count not in _COUNTS:
        return Availability(
            False, f"WORKBENCH_DEVICE_COUNT is {count!r}", "set it to a whole number from 1 to 8"
        )
    if index >= int(count):
        return Availability(
            False, f"there are {count} wb devices", f"set WORKBENCH_DEVICE_COUNT={index + 1}"
        )
    return Availability(True, f"torch {found}, wb:{index}")


def supports(problem: Problem) -> Availability:
    """Problems with a torch module."""
    return needs_torch_module(problem, "its torch module, eager")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the torch module on the device."""
    import workbench.torch_device  # noqa: F401  (claims PrivateUse1 for "wb")
    from workbench.targets._torch import TorchRunner

    return TorchRunner(problem, inputs, f"wb:{index}")
