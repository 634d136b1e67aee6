"""NumPy on the host: the problem's own reference, in the problem's own precision.

What the race compares with first, because everybody has it. Matrix products go to the BLAS that
NumPy was built with, on as many threads as that takes. It refuses a second device.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.measurement import Availability
from workbench.problem import Arrays, Problem, as_tuple
from workbench.targets import Runner
from workbench.targets._shared import only_one

SUMMARY = "NumPy and its BLAS, on the host's processor"


def probe(index: int) -> Availability:
    """Answer for the host; the only device is number 0."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    return only_one(index, f"NumPy {np.__version__} with {blas}")


def supports(problem: Problem) -> Availability:
    """Every problem has a reference in NumPy."""
    return Availability(True, "its reference, in its own precision")


def prepare(problem: Problem, inputs: tuple[Any, ...], *, index: int = 0) -> Runner:
    """Return a runner of the reference."""
    return _NumpyRunner(problem, inputs)


class _NumpyRunner(Runner):
    def __init__(self, problem: Problem, inputs: tuple[Any, ...]):
        self._reference = problem.reference
        self.load(inputs)

    def load(self, inputs: tuple[Any, ...]) -> None:
        self._inputs = tuple(np.copy(x) if isinstance(x, np.ndarray) else x for x in inputs)
        self._outputs: Any = ()

    def run(self) -> None:
        self._outputs = self._reference(*self._inputs)

    def fetch(self) -> Arrays:
        return tuple(np.copy(one) for one in as_tuple(self._outputs))
