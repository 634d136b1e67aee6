"""One stream's queue: pieces of work in a ring, drained in order by a thread of the stream's own.

The loop that drains it is compiled and runs outside Python's lock, so that the device works on
while Python is busy. A piece is a compiled kernel with its words, or a Python function, for which
the thread takes Python's lock. Threads wait for each other at *gates*: a gate is opened by a piece
of work, so it opens when all work before it is done. Who waits on the host helps meanwhile: where
the thread has not come to the piece at the head yet, the caller does it, which saves the hand-over.

`BOARD` has two counts over all queues, which the shim reads, too. While the first is zero nothing
is queued anywhere, and an operator may run at once without anyone being able to tell. It refuses to
know devices, tensors or errors' words: those are `streams`'.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import NamedTuple

from workbench.torch_device.driver import draining
from workbench.torch_device.driver.draining import (
    DONE,
    FAILED,
    HEAD,
    OPENS,
    PASSES,
    PUSHED,
    PYTHON,
    SIDE,
    SLOTS,
    WORDS,
)

BOARD = (ctypes.c_int64 * 2)()
"""Pieces queued on any stream and not done yet; the same for side streams, and threads in one."""
HOLD = 1 << 32
"""Added to the first count where nothing may run at once: a failure, a recording, a fork."""


def add(place: int, amount: int) -> None:
    """Add to one of the board's counts, which other threads do, too."""
    words = _packer(2).pack(ctypes.addressof(BOARD) + 8 * place, amount)
    draining.kernel(draining.ADD).run_briefly(words)


@cache
def _packer(count: int) -> Struct:
    return Struct(f"{count}q")


_python = ctypes.pythonapi
_python.PyThread_allocate_lock.restype = ctypes.c_void_p
_python.PyThread_free_lock.argtypes = [ctypes.c_void_p]
_wait = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int)(
    draining.TIMED_AT
)  # unlike `pythonapi` this gives Python's lock away
_release = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(draining.RELEASE_AT)


class Gate:
    """Something that happens once: closed until a queue has come to it, then open for good.

    Attributes
    ----------
    words : ctypes array
        Seconds, nanoseconds and a mark that it has happened, as the queue's thread writes them.
    helps : callable
        Does a piece before it from the calling thread, and returns whether it could.
    """

    def __init__(self):
        self.words = (ctypes.c_int64 * 3)()
        self.lock = _python.PyThread_allocate_lock()
        self.helps: Callable[[], bool] = lambda: False
        _wait(self.lock, -1, 0)

    def __del__(self, free=_python.PyThread_free_lock):
        free(self.lock)

    def open_now(self) -> None:
        """Open it from the calling thread."""
        self.words[:] = *divmod(time.perf_counter_ns(), 10**9), 1
        _release(self.lock)

    def is_open(self) -> bool:
        """Return whether it has happened."""
        return self.words[2] != 0

    @property
    def time_ns(self) -> int:
        """When it happened, on the clock of `time.perf_counter_ns`."""
        return self.words[0] * 10**9 + self.words[1]

    def wait(self) -> None:
        """Block the calling thread, which a signal such as Ctrl-C interrupts, until it is open."""
        while not self.is_open() and self.helps():
            pass  # one piece at a time: Python handles a signal between two
        if not self.is_open():
            while _wait(self.lock, -1, 1) != 1:
                pass  # a signal came: Python handles it here
            _release(self.lock)


class Piece(NamedTuple):
    """What is known of a piece of work beside its kernel and words."""

    name: str
    line: str
    work: Callable[[], object] | None = None
    explain: Callable[[int], Exception] | None = None
    always: bool = False
    """Whether it is done on a stream that has failed, too."""
    keeps: object = None
    """What a kernel's words point to."""


class Queue:
    """A ring of pieces and the thread that drains it.

    Parameters
    ----------
    name : str
        The thread's.
    side : bool
        Whether this is another than a default stream's: counted apart on the board.
    begin : callable
        Run by the thread before its first piece.
    """

    def __init__(self, name: str, side: bool, begin: Callable[[], None]):
        self.name, self._begin = name, begin
        self.failed: tuple[BaseException, Piece] | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._words = (ctypes.c_int64 * draining.COUNT)()
        self._words[SIDE] = int(side)
        self._pieces: list = [None] * SLOTS

    def is_done(self) -> bool:
        """Return whether all that was pushed is done and nothing has failed."""
        words = self._words
        return words[PUSHED] == words[DONE] and not words[FAILED]

    def is_own_thread(self) -> bool:
        """Return whether the caller is the thread that drains this queue."""
        return self._thread is threading.current_thread()

    def push(self, piece: Piece | Gate | None, kind=PYTHON, address=0, words=()) -> None:
        """Put a piece behind the others; wait first where the ring is full.

        Parameters
        ----------
        piece : Piece, Gate or None
            Kept while it is queued. None ends the thread.
        kind : int, optional
            `PYTHON`, `KERNEL`, `PASSES` or `OPENS`.
        address, words : int, tuple of int, optional
            The kernel's; at most ``WORDS - 2`` words.
        """
        with self._lock:
            if self._thread is None:
                self._start()
            at = self._words[PUSHED]
            while at - self._words[DONE] >= SLOTS - 1:  # the one just counted may still be read
                time.sleep(1e-4)
            slot = at % SLOTS
            self._pieces[slot] = piece
            _packer(len(words) + 2).pack_into(self._ring, slot * WORDS * 8, kind, address, *words)
            draining.kernel(draining.PUSH).run_briefly(self._pointer)

    def open_when_reached(self, gate: Gate) -> None:
        """Open a gate when the work pushed so far is done, or dropped."""
        gate.helps = self._help
        if not draining.CLOCK_AT:
            self.push(Piece("event record", "", gate.open_now, always=True))
            return
        clock = (draining.CLOCK_AT, draining.CLOCK_ID, ctypes.addressof(gate.words))
        words = (gate.lock, draining.RELEASE_AT, *clock)
        self.push(gate, OPENS, draining.kernel(draining.OPEN).address, words)

    def wait_for(self, gate: Gate) -> None:
        """Let work pushed from now on wait for a gate."""
        words = (gate.lock, draining.ACQUIRE_AT, draining.RELEASE_AT)
        self.push(gate, PASSES, draining.kernel(draining.PASS).address, words)

    def forgive(self) -> tuple[BaseException, Piece] | None:
        """Return what failed, if anything, and run what is pushed from now on."""
        failed, self.failed = self.failed, None
        if failed is not None:
            self._words[FAILED] = 0
            add(0, -HOLD)
        return failed

    def stop(self, seconds: float) -> None:
        """End the thread after what is queued now, waiting for that at most some seconds."""
        if self._thread is not None:
            self.push(None)
            self._thread.join(timeout=seconds)

    def _help(self) -> bool:
        return draining.kernel(draining.HELP).run(self._pointer) == 1

    def _start(self) -> None:
        self._ring = (ctypes.c_int64 * (SLOTS * WORDS))()
        self._words[draining.ACQUIRE :] = (
            draining.ACQUIRE_AT, draining.RELEASE_AT, _python.PyThread_allocate_lock(),
            _python.PyThread_allocate_lock(), ctypes.addressof(self._ring),
            ctypes.addressof(BOARD), draining.kernel(draining.STEP).address,
            draining.kernel(draining.ADVANCE).address,
        )  # fmt: skip
        for used in (self._words, self._ring):  # the thread may outlive Python's modules
            _python.Py_IncRef(ctypes.py_object(used))
        self._pointer = ctypes.cast(self._words, ctypes.c_char_p)
        self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._begin()
        drain = draining.kernel(draining.DRAIN).run
        advance = draining.kernel(draining.ADVANCE).run_briefly
        _wait(self._words[HEAD], -1, 0)
        while self._do(drain(self._pointer)):
            advance(self._pointer)
        self._thread = None
        advance(self._pointer)
        _release(self._words[HEAD])

    def _do(self, status: int) -> bool:
        """Do Python's part of the piece at the head, or keep its error; False where it is none."""
        slot = self._words[DONE] % SLOTS
        piece, self._pieces[slot] = self._pieces[slot], None
        if piece is None:
            return False
        try:
            if status:
                raise piece.explain(status) if piece.explain else RuntimeError(f"status {status}")
            if piece.always or not self._words[FAILED]:
                piece.work()
        except BaseException as error:  # kept: the next synchronisation raises it
            if self.failed is None:
                self.failed = error, piece._replace(work=None, keeps=None)
                self._words[FAILED] = 1
                add(0, HOLD)
        return True
