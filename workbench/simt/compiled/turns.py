"""Who is alone with global memory."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportPrivateImportUsage=false

from __future__ import annotations

import os
import threading
from collections.abc import Callable

_SLICE_S = 0.05


class Turn:
    """Lets a launch whose blocks all run on one core update memory with plain instructions.

    Such a launch is alone with global memory: launches with atomics that other Python threads
    begin wait for it, as they would on a GPU's default stream. Entering gives whether it is alone;
    where others run already, or nothing is wanted, it is not, and its atomics are real ones.

    Parameters
    ----------
    atomics : bool
        Whether the launch updates global memory atomically.
    one_core : bool
    goes_on : callable
        Whether the launch still wants its turn.
    """

    _condition = threading.Condition()
    _running = 0
    _owner: int | None = None

    def __init__(self, atomics: bool, one_core: bool, goes_on: Callable[[], bool]):
        self.atomics, self.one_core, self.alone = atomics, one_core, False
        self.goes_on = goes_on

    def __enter__(self) -> bool:
        if not self.atomics:
            return False
        me = threading.get_ident()
        with Turn._condition:
            while Turn._owner not in (None, me) and self.goes_on():
                Turn._condition.wait(_SLICE_S)
            self.alone = self.one_core and Turn._running == 0
            Turn._running += 1
            if self.alone:
                Turn._owner = me
        return self.alone

    def __exit__(self, *_: object) -> None:
        if not self.atomics:
            return
        with Turn._condition:
            Turn._running -= 1
            if self.alone:
                Turn._owner = None
            Turn._condition.notify_all()


def _in_child() -> None:
    Turn._condition, Turn._running, Turn._owner = threading.Condition(), 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
