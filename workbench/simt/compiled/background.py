"""Compiling while the learner reads the first answer.

A specialisation is queued after a lockstep launch has answered; one thread works through the queue.
Whoever needs a specialisation first makes it: a second launch that comes early takes it over or
waits for it. While a lockstep launch runs, the compiler rests at its next pass, because both need
Python's lock. The process waits at its end for the one compilation in progress, and for no other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event

_LONGEST_REST_S = 0.5
"""A compilation rests at most so long at a time, whatever the launches do."""
_EVENTS = ("numba:run_pass", "numba:llvm_lock")
_queue: deque[Any] = deque()
_lock = threading.Lock()
_free = threading.Event()
_free.set()
_worker: threading.Thread | None = None


class _Resting(event.Listener):
    """Makes the compiling thread wait at each step while a launch needs Python's lock."""

    def on_start(self, event: Any) -> None:
        if threading.current_thread() is _worker:
            _free.wait(_LONGEST_REST_S)

    on_end = on_start


def later(make: Any) -> None:
    """Call ``make()`` in the background; what it raises is its own business."""
    global _worker
    with _lock:
        _queue.append(make)
        if _worker is None or not _worker.is_alive():
            _worker = threading.Thread(target=_work, name="simt compiler")
            _worker.start()


def _work() -> None:
    resting = _Resting()
    for kind in _EVENTS:
        event.register(kind, resting)
    try:
        while _next_is_due():
            _free.wait(_LONGEST_REST_S)
            _queue.popleft()()
    finally:
        for kind in _EVENTS:
            event.unregister(kind, resting)


def _next_is_due() -> bool:
    global _worker
    with _lock:
        if _queue and threading.main_thread().is_alive():
            return True
        _worker = None
        return False


@contextmanager
def resting() -> Iterator[None]:
    """Keep the compiling thread from starting its next step inside the context."""
    _free.clear()
    try:
        yield
    finally:
        _free.set()
