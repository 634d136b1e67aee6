"""Judge answers in another process than the one that gave them.

An audited call leaves its inputs and outputs in a file of plain arrays; here the oracle computes
what they should have been. The code under test cannot reach this process's statistics or oracle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.problem import Accuracy, Problem


def audit(problem: Problem, path: Path) -> Accuracy:
    """Compare one saved call with the oracle, and remove the file.

    Parameters
    ----------
    problem : Problem
    path : Path
        An ``.npz`` with ``in0, in1, ...`` and ``out0, ...``; loaded without pickle.
    """
    with np.load(path, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    path.unlink(missing_ok=True)
    inputs = tuple(_scalar(arrays[f"in{at}"]) for at in range(_count(arrays, "in")))
    outputs = tuple(arrays[f"out{at}"] for at in range(_count(arrays, "out")))
    with np.errstate(all="ignore"):
        return problem.compare(outputs, inputs)


def _count(arrays: dict[str, np.ndarray], kind: str) -> int:
    return sum(name.startswith(kind) for name in arrays)


def _scalar(value: np.ndarray) -> np.ndarray | np.generic:
    return value if value.ndim else value[()]
