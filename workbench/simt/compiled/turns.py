"""Who is alone with global memory."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportPrivateImportUsage=false

from __future__ import annotations

import threading


class Turn:
    """Lets a launch whose blocks all run on one core update memory with plain instructions.

    Such a launch is alone with global memory: launches with atomics that other Python threads
    begin wait for it, as they would on a GPU's default stream. Entering gives whether it is alone;
    where others run already, or nothing is wanted, it is not, and its atomics are real ones.
    """

    _condition = threading.Condition()
    _running = 0
    _owner: int | None = None

    def __init__(self, atomics: bool, one_core: bool):
        self.atomics, self.one_core, self.alone = atomics, one_core, False

    def __enter__(self) -> bool:
        if not self.atomics:
            return False
        me = threading.get_ident()
        with Turn._condition:
            while Turn._owner not in (None, me):
                Turn._condition.wait()
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
