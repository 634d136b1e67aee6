"""What callers hand over, looked at before anything starts: lists that are lists, and so on.

A string is iterable, so ``Race("saxpy", "numpy")`` would race the targets n, u, m, p and y. It
refuses that, and what is no list at all, in a sentence that shows what to write.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from workbench.errors import InputError
from workbench.problem import Problem

CACHES = ("warm", "cold")


def listed(what: str, given: Any, example: str, kind: type | None = None) -> list[Any]:
    """Return `given` as a list.

    Parameters
    ----------
    what : str
        Its name, for the error.
    given : iterable
        No string, and nothing that cannot be walked.
    example : str
        What to write instead.
    kind : type, optional
        Of which each member must be.

    Raises
    ------
    InputError
        Naming what was given.
    """
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise InputError(f"The {what} must be a list.", repr(given), example)
    found = list(given)
    if kind is not None and (wrong := [one for one in found if not isinstance(one, kind)]):
        raise InputError(f"The {what} hold what does not belong there.", repr(wrong[0]), example)
    return found


def require_setup(*, cache: str, seconds: float, threads: int = 1, hang_s: float = 60.0) -> None:
    """Raise `InputError` where a race cannot be measured like this."""
    times = all(
        isinstance(s, (int, float)) and not isinstance(s, bool) and 0 < s < math.inf
        for s in (seconds, hang_s)
    )
    whole = isinstance(threads, int) and not isinstance(threads, bool) and threads >= 1
    if cache not in CACHES or not times or not whole:
        raise InputError(
            "The race cannot be set up like this.",
            f"cache={cache!r}, seconds={seconds!r}, threads={threads!r}, hang_s={hang_s!r}",
            "cache is 'warm' or 'cold'; the numbers are finite and above zero; threads are whole",
        )


def usual_baseline(labels: Iterable[str]) -> str:
    """Return the lane that the others are compared with where nobody says: the first with a clock.

    A model's predictions are compared with nothing that was measured, so a modelled lane is taken
    only where there is no other.
    """
    from workbench import catalog, targets
    from workbench.measurement import Provenance

    labels, names = list(labels), set(catalog.target_names())
    for label in labels:
        known = label.replace("/", ":").split(":")[0] in names
        if not known or targets.find(label).provenance is not Provenance.MODELLED:
            return label
    return labels[0]


def require_memory(problem: Problem, size: int) -> None:
    """Raise `InputError` where one call would move more than this machine's memory holds.

    Without this a race of a million instances would fill the memory before anything is said.
    """
    import psutil

    moved, total = problem.bytes_moved(size), psutil.virtual_memory().total
    if moved > total:
        raise InputError(
            "That does not fit into this machine's memory.",
            f"{problem.name} at {size:,} {problem.size_means}, batch {problem.batch}: a call moves "
            f"{moved / 1e9:,.0f} GB; the machine has {total / 1e9:,.0f} GB",
            "choose a smaller size or batch",
        )
