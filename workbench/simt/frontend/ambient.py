"""Running kernels that have no source: made by ``exec``, or typed at a prompt.

The front end reads source. Where there is none the Python function itself runs, each thread in a
greenlet, and the CUDA names find the thread they stand in here. It schedules as the step-through
tier does, and is as slow.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from greenlet import getcurrent, greenlet

_HERE = threading.local()


def current() -> Any:
    """Return the `Thread` whose kernel code is running now, or None on the host."""
    return getattr(_HERE, "thread", None)


def perform(intrinsic: Any, args: tuple, keywords: dict) -> Any:
    """Do what a CUDA name does, for the thread that runs now."""
    thread = current()
    if intrinsic.kind == "declare":
        import sys

        frame = sys._getframe(2)
        key = f"{frame.f_code.co_filename}:{frame.f_lineno}:{frame.f_lasti}"
        return getattr(thread, intrinsic.method)(key, *args, **keywords)
    found = getattr(thread, intrinsic.method)(*args, **keywords)
    if intrinsic.synchronises:
        return getcurrent().parent.switch(next(found))
    return found


class OpaqueThread:
    """One thread's function call, with a generator's interface.

    Parameters
    ----------
    function : callable
        The Python function.
    thread : Thread
    args : tuple
    """

    def __init__(self, function: Any, thread: Any, args: tuple):
        self.thread = thread

        def start(_: Any = None) -> None:
            with np.errstate(all="ignore"):  # a greenlet does not inherit the scheduler's
                function(*args)

        self.greenlet = greenlet(start)

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        """Run until the thread waits; return what it waits for."""
        before, _HERE.thread = current(), self.thread
        try:
            found = self.greenlet.switch(value) if self.greenlet else self.greenlet.switch()
        finally:
            _HERE.thread = before
        if self.greenlet.dead:
            raise StopIteration
        return found
