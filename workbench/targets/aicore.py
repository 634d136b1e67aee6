"""The shelf's Ascend kernels on a model of the AI Core: real values, predicted times.

What runs is the learner's own kernel, instruction by instruction, on NumPy; the latency is what
the scoreboard of `aicore.readings.timeline` predicts for the chip, launch not included. It is
modelled, stands in a table of its own, and is never ranked with a measurement. It refuses kernels
with findings that show without looking at orders (leaks, unmatched events).
"""

from __future__ import annotations

from typing import Any

from workbench import aicore
from workbench.aicore.readings.costs import costs
from workbench.measurement import Availability, Provenance
from workbench.problem import Problem
from workbench.targets import Runner
from workbench.targets._shared import only_one
from workbench.targets._shelf import LaunchRunner, choose, has_kernel

SUMMARY = "Ascend kernels of the shelf on a model of the 910B2's AI Cores"
DIALECT = "ascend"
PROVENANCE = Provenance.MODELLED
MODEL = "workbench.aicore.readings.timeline"
STATED_ERROR = costs().stated_error


def probe(index: int) -> Availability:
    """Answer for the model: it is always here."""
    return only_one(index, f"{aicore.current_chip().title}, modelled")


def supports(problem: Problem) -> Availability:
    """Problems with an Ascend kernel on the shelf."""
    return has_kernel(problem, DIALECT)


def prepare(
    problem: Problem, inputs: tuple[Any, ...], *, index: int = 0, kernel: str | None = None
) -> Runner:
    """Return a runner of one shelf kernel, on the last rung if none is named."""
    file = choose(problem, DIALECT, kernel)
    runner = _ModelRunner(problem, inputs, file.load().launch)
    runner.notes = (f"{file.name}; the launch itself is not in the model",)
    return runner


class _ModelRunner(LaunchRunner):
    """Launches for the values, and answers with the model's clock."""

    def run(self) -> float:
        """Launch, and return the predicted nanoseconds of all kernels together."""
        with aicore.observe() as runs:
            super().run()
        return sum(run.timeline.elapsed_ns for run in runs)
