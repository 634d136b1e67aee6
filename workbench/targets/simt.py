"""The shelf's CUDA kernels on this computer's processor, by the workbench's own engine.

What runs is the learner's own kernel, block by block, compiled for the processor. The numbers are
measured, and they are the processor's: they say how much work a kernel is, and nothing about a
GPU. It refuses a second device.
"""

from __future__ import annotations

import os
from typing import Any

from workbench.measurement import Availability
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import only_one, version
from workbench.targets._shelf import LaunchRunner, choose, has_kernel

SUMMARY = "CUDA kernels of the shelf on the host's processor, by our own engine"
DIALECT = "cuda"

NOTE = "runs on the processor: a GPU's time is another matter"


def probe(index: int) -> Availability:
    """Answer for the host; importing Numba waits until something runs."""
    return only_one(index, f"Numba {version('numba')}, {os.cpu_count()} processors")


def supports(problem: Problem) -> Availability:
    """Problems with a CUDA kernel on the shelf."""
    return has_kernel(problem, DIALECT)


def prepare(
    problem: Problem, inputs: tuple[Any, ...], *, index: int = 0, kernel: str | None = None
) -> Runner:
    """Return a runner of one shelf kernel, on the last rung if none is named."""
    file = choose(problem, DIALECT, kernel)
    runner = LaunchRunner(problem, inputs, file.load().launch)
    runner.notes = (f"{file.name}; {NOTE}",)
    return runner
