"""Which line of the kernel is being carried out, and stopping kernels that never end."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from workbench.aicore.findings import AICoreError, Site
from workbench.aicore.recording.instructions import Limits

_AICORE = __name__.split(".recording")[0]


def _is_ours(frame: FrameType) -> bool:
    package = frame.f_globals.get("__package__") or ""
    return package == _AICORE or package.startswith(f"{_AICORE}.")


def caller(depth: int) -> tuple[str, int]:
    """Return file and line of the innermost frame outside of this package."""
    frame = sys._getframe(depth)
    while _is_ours(frame) and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def raised_at(error: BaseException, core: int) -> Site:
    """Return the innermost line outside of this package."""
    trace, found = error.__traceback__, Site("Python", "scalar", core, "", 0)
    while trace is not None:
        frame = trace.tb_frame
        if not _is_ours(frame):
            name = frame.f_code.co_name
            found = Site(name, "scalar", core, frame.f_code.co_filename, trace.tb_lineno)
        trace = trace.tb_next
    return found


class deadline:
    """Stop Python code of this thread after some seconds, even in a loop that issues nothing.

    A watchdog thread raises the error in the recording thread (CPython's
    ``PyThreadState_SetAsyncExc``), which works in any thread and on every platform.
    """

    def __init__(self, limits: Limits, function: Callable[..., None]):
        self.limits = limits
        code = function.__code__
        self.whole = Site(function.__name__, "scalar", 0, code.co_filename, code.co_firstlineno)
        self.thread = threading.get_ident()
        self.lock = threading.Lock()
        self.over_now, self.done = threading.Event(), False
        self.reason = ""
        self.counted: Any = None

    def over(self, counted: Any) -> None:
        """Watch this recorder's count of instructions from now on."""
        self.counted = counted

    def __enter__(self) -> deadline:
        self.watchdog = threading.Thread(target=self._watch, daemon=True)
        self.watchdog.start()
        return self

    def _watch(self) -> None:
        began = moved = time.monotonic()
        seen: tuple[Any, int] = (None, 0)
        tick = min(self.limits.seconds, self.limits.idle_seconds, 1.0) / 4
        while not self.over_now.wait(tick):
            now, who = time.monotonic(), self.counted
            count = (who, who.count if who is not None else 0)
            if count != seen:
                seen, moved = count, now
            if now - began > self.limits.seconds:
                self._fire(f"was still running after {self.limits.seconds:g} seconds")
            elif now - moved > self.limits.idle_seconds:
                self._fire(f"issued nothing for {self.limits.idle_seconds:g} seconds")
                moved = now  # once more later, where the kernel swallowed it

    def _fire(self, reason: str) -> None:
        with self.lock:
            if not self.done:
                self.reason = self.reason or reason
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self.thread), ctypes.py_object(_TimeUp)
                )

    def __exit__(self, kind, error, trace):
        with self.lock:
            self.done = True
        self.over_now.set()
        if not self.reason or isinstance(error, KeyboardInterrupt):
            return
        if not isinstance(error, _TimeUp):  # fired just now and perhaps still to be delivered
            try:
                time.sleep(0.05)
            except _TimeUp as late:
                error = error or late
        cause = error if isinstance(error, _TimeUp) else getattr(error, "__cause__", error)
        raise AICoreError(
            "endless",
            f"The kernel {self.reason}.",
            "stopped at the line below",
            "look at the loop's bound, or launch(kernel, args, blocks, limits=Limits(...))",
            (self._where(cause),),
        )

    def _where(self, cause: BaseException | None) -> Site:
        """Return the line that was stopped; the kernel's first where it swallowed the stop."""
        found = raised_at(cause, 0) if cause is not None else self.whole
        return found if found.line else self.whole


class _TimeUp(BaseException):
    """Thrown into the kernel by the watchdog; a BaseException so that no kernel swallows it."""
