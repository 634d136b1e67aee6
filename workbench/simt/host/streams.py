"""Streams and events: work in order, and the real times at which points in it were reached.

A launch has run by the time it returns, so a stream never has anything pending; that is one of the
orders that CUDA allows, and the only one that a single processor would gain nothing by leaving.
"""

from __future__ import annotations

import time
from typing import Any

from workbench.errors import InputError


class Stream:
    """Work in order. Everything put on it is done by the time the call returns."""

    _numbers = iter(range(1, 1 << 62))

    def __init__(self, number: int | None = None):
        self.handle = next(self._numbers) if number is None else number

    def __int__(self) -> int:
        return self.handle

    def __bool__(self) -> bool:
        return True

    def synchronize(self) -> None:
        """Return at once: nothing is pending."""

    def add_callback(self, callback: Any, arg: Any = None) -> None:
        """Call ``callback(stream, 0, arg)`` once the work before it is done: now."""
        callback(self, 0, arg)

    async def async_done(self) -> Stream:
        """Return this stream once the work before it is done."""
        return self

    def auto_synchronize(self):
        """Return a context that synchronises at its end."""
        import contextlib

        return contextlib.nullcontext(self)

    def __repr__(self) -> str:
        return f"<CUDA stream {self.handle} on the CPU engine>"


class Event:
    """A point in a stream, with the real time at which it was reached."""

    def __init__(self, timing: bool = True):
        self._time_ns: int | None = None
        self.timing = timing

    def record(self, stream: Any = 0) -> None:
        """Take the time: the work before it is done."""
        self._time_ns = time.perf_counter_ns()

    def synchronize(self) -> None:
        """Return at once: recorded work is done."""

    def wait(self, stream: Any = 0) -> None:
        """Return at once: recorded work is done."""

    def query(self) -> bool:
        """Return whether the work before it is done: always."""
        return True

    def elapsed_time(self, end: Event) -> float:
        """Return the milliseconds from this event to `end`."""
        return event_elapsed_time(self, end)


def event_elapsed_time(start: Event, end: Event) -> float:
    """Return the milliseconds between two recorded events.

    Raises
    ------
    InputError
        Where one of them was never recorded.
    """
    if start._time_ns is None or end._time_ns is None:
        raise InputError(
            "An event was never recorded.", "no time to subtract", "call event.record() first"
        )
    return (end._time_ns - start._time_ns) / 1e6
