"""What ran when on which stream, and a mistake to switch on: what `StreamTimeline` shows.

It refuses to change what is computed, but for `dropped_waits`, which is there to do that.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from workbench.torch_device.core import events, streams
from workbench.torch_device.driver.queue import HOLD, add


@dataclass(frozen=True)
class Span:
    """One piece of work on a stream. Times are `time.perf_counter_ns`."""

    stream: int
    name: str
    queued_ns: int
    start_ns: int
    end_ns: int


@contextlib.contextmanager
def recording():
    """Collect a `Span` for each piece of work inside, and give the list."""
    spans: list[Span] = []

    def timed(stream: int, name: str, work: Callable) -> Callable:
        queued = time.perf_counter_ns()
        work = before(stream, name, work) if before else work

        def observed():
            start = time.perf_counter_ns()
            try:
                work()
            finally:
                spans.append(Span(stream, name, queued, start, time.perf_counter_ns()))

        return observed

    before, streams.observe = streams.observe, timed
    add(0, HOLD)  # no operator may run at once: the shortest way would leave no span
    try:
        yield spans
    finally:
        streams.settle()
        streams.observe = before
        add(0, -HOLD)


@contextlib.contextmanager
def dropped_waits():
    """Ignore every `Event.wait` inside: the mistake that the timeline shows."""
    events.dropping_waits = True
    try:
        yield
    finally:
        events.dropping_waits = False
