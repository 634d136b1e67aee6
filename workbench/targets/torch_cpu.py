"""PyTorch on the host's processor: the problem's torch module, eager, in inference mode.

It refuses problems with no torch module, and a second device.
"""

from __future__ import annotations

from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import needs_torch_module, only_one, version

SUMMARY = "PyTorch eager, on the host's processor"


def probe(index: int) -> Availability:
    """Answer for the host; importing torch waits until something runs."""
    found = version("torch")
    if found is None:
        return Availability(
            False, "torch is not installed", "pip install torch, or run scripts/lab"
        )
    return only_one(index, f"torch {found}")


def supports(problem: Problem) -> Availability:
    """Problems with a torch module."""
    return needs_torch_module(problem, "its torch module, eager")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the torch module on the host."""
    from workbench.targets._torch import TorchRunner

    return TorchRunner(problem, inputs, "cpu")
