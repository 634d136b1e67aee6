"""Which line of the kernel is being carried out, and stopping kernels that never end."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable

from workbench.aicore.findings import AICoreError, Site


def caller(depth: int) -> tuple[str, int]:
    """Return file and line of the innermost frame outside of this package."""
    frame = sys._getframe(depth)
    while frame.f_globals.get("__package__") == __package__ and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def raised_at(error: BaseException, core: int) -> Site:
    """Return the innermost line outside of this package."""
    trace, found = error.__traceback__, Site("Python", "scalar", core, "", 0)
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("__package__") != __package__:
            name = frame.f_code.co_name
            found = Site(name, "scalar", core, frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return found


class deadline:
    """Stop Python code of this thread after some seconds, even in a loop that issues nothing.

    A watchdog thread raises the error in the recording thread (CPython's
    ``PyThreadState_SetAsyncExc``), which works in any thread and on every platform.
    """

    def __init__(self, seconds: float, function: Callable[..., None]):
        self.seconds = seconds
        code = function.__code__
        self.whole = Site(function.__name__, "scalar", 0, code.co_filename, code.co_firstlineno)
        self.thread = threading.get_ident()
        self.lock = threading.Lock()
        self.done = self.fired = False

    def __enter__(self):
        self._arm(self.seconds)

    def _arm(self, seconds: float):
        self.timer = threading.Timer(seconds, self._fire)
        self.timer.daemon = True
        self.timer.start()

    def _fire(self):
        with self.lock:
            if not self.done:
                self.fired = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.thread), ctypes.py_object(_TimeUp)
                )
                self._arm(1.0)  # once more, where the kernel swallowed it

    def __exit__(self, kind, error, trace):
        with self.lock:
            self.done = True
        self.timer.cancel()
        if not self.fired:
            return
        if error is None:  # it was fired just now and is still to be delivered
            try:
                time.sleep(0.05)
            except _TimeUp as late:
                error = late
        cause = error if isinstance(error, _TimeUp) else getattr(error, "__cause__", error)
        raise AICoreError(
            "endless",
            f"The kernel was still issuing instructions after {self.seconds:g} seconds.",
            "stopped at the line below",
            "look at the loop's bound, or raise Limits(seconds=...)",
            (self._where(cause),),
        )

    def _where(self, cause: BaseException | None) -> Site:
        """Return the line that was stopped; the kernel's first where it swallowed the stop."""
        found = raised_at(cause, 0) if cause is not None else self.whole
        return found if found.line else self.whole


class _TimeUp(BaseException):
    """Thrown into the kernel by the watchdog; a BaseException so that no kernel swallows it."""
