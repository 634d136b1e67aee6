"""One stream's queue: pieces of work in a ring, drained in order by a thread of the stream's own.

The loop that drains it is compiled and runs outside Python's lock, so that the device works on
while Python is busy. A piece is a compiled kernel with its words, or a Python function, for which
the thread takes Python's lock. Threads wait for each other at *gates*: a gate is opened by a piece
of work, so it opens when all work before it is done.

`BOARD` has two counts over all queues, which the shim reads, too. While the first is zero nothing
is queued anywhere, and an operator may run at once without anyone being able to tell. It refuses to
know devices, tensors or errors' words: those are `streams`'.
"""

# The compiled kernels' signatures are untyped.
# pyright: reportArgumentType=false

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import NamedTuple

from workbench.torch_device.codegen.compiler import compile_kernel

BOARD = (ctypes.c_int64 * 2)()
"""Pieces queued on any stream and not done yet; the same for side streams, and threads in one."""
HOLD = 1 << 32
"""Added to the first count where nothing may run at once: a failure, a recording, a fork."""

SLOTS = 1024  # pieces; CUDA's launch queue has about as many, and waits when it is full, too
WORDS = 160  # of a slot: its kind, its kernel's address, the kernel's words
PYTHON, KERNEL, ALWAYS = range(3)  # kinds: the last is a kernel that runs on a failed stream, too
_PUSHED, _DONE, _FAILED, _BEGUN, _ACQUIRE, _RELEASE, _WAKE, _RING, _BOARD, _SIDE = range(10)

_DRAIN = f"""
def kernel(w):
    here = address_of(w)
    while True:
        done = add_to(here + {8 * _DONE}, 0)
        if w[{_BEGUN}]:
            w[{_BEGUN}] = 0
            done = add_to(here + {8 * _DONE}, 1) + 1
            add_to(w[{_BOARD}] + 8, -w[{_SIDE}])
            add_to(w[{_BOARD}], -1)
        if add_to(here, 0) == done:
            call_with(w[{_ACQUIRE}], w[{_WAKE}], 1)
            continue
        slot = p_i8(w[{_RING}] + done % {SLOTS} * {8 * WORDS})
        w[{_BEGUN}] = 1
        if slot[0] == {PYTHON}:
            return 0
        if slot[0] == {ALWAYS} or not add_to(here + {8 * _FAILED}, 0):
            status = call_kernel(slot[1], offset_words(slot, 2))
            if status:
                return status
"""
_PUSH = f"""
def kernel(w):
    add_to(w[{_BOARD}], 1)
    add_to(w[{_BOARD}] + 8, w[{_SIDE}])
    add_to(address_of(w), 1)
    call_with(w[{_RELEASE}], w[{_WAKE}], 0)
    return 0
"""
_PASS = """
def kernel(w):
    call_with(w[1], w[0], 1)  # a gate stays open: who has passed it leaves it open
    call_with(w[2], w[0], 0)
    return 0
"""
_OPEN = """
def kernel(w):
    call_with(w[2], w[3], w[4])
    add_to(w[4] + 16, 1)
    call_with(w[1], w[0], 0)
    return 0
"""


_ADD = """
def kernel(w):
    add_to(w[0], w[1])
    return 0
"""


@cache
def _kernel(text: str):
    return compile_kernel("queue", text)


def add(place: int, amount: int) -> None:
    """Add to one of the board's counts, which other threads do, too."""
    words = _packer(2).pack(ctypes.addressof(BOARD) + 8 * place, amount)
    _kernel(_ADD).run_briefly(words)


@cache
def _packer(count: int) -> Struct:
    return Struct(f"{count}q")


def _address(function) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _clock() -> int:
    """Return the address of ``clock_gettime``, whose clock Python's counter reads; 0 if absent."""
    try:
        return _address(ctypes.CDLL(None).clock_gettime)
    except (AttributeError, TypeError):  # TypeError: Windows has no global namespace
        return 0


_python = ctypes.pythonapi
_python.PyThread_allocate_lock.restype = ctypes.c_void_p
_python.PyThread_free_lock.argtypes = [ctypes.c_void_p]
_ACQUIRE_AT, _RELEASE_AT = map(
    _address, (_python.PyThread_acquire_lock, _python.PyThread_release_lock)
)
_CLOCK_AT, _CLOCK_ID = _clock(), getattr(time, "CLOCK_MONOTONIC", 0)
_wait = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_longlong, ctypes.c_int)(
    _address(_python.PyThread_acquire_lock_timed)
)  # unlike `pythonapi` this gives Python's lock away
_release = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(_RELEASE_AT)


class Gate:
    """Something that happens once: closed until a queue has come to it, then open for good.

    Attributes
    ----------
    words : ctypes array
        Seconds, nanoseconds and a mark that it has happened, as the queue's thread writes them.
    """

    def __init__(self):
        self.words = (ctypes.c_int64 * 3)()
        self.lock = _python.PyThread_allocate_lock()
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
        self._words = (ctypes.c_int64 * 10)()
        self._words[_SIDE] = int(side)
        self._pieces: list = [None] * SLOTS

    def is_done(self) -> bool:
        """Return whether all that was pushed is done and nothing has failed."""
        words = self._words
        return words[_PUSHED] == words[_DONE] and not words[_FAILED]

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
            `PYTHON`, `KERNEL`, or `ALWAYS` (a kernel that no error stops).
        address, words : int, tuple of int, optional
            The kernel's; at most ``WORDS - 2`` words.
        """
        with self._lock:
            if self._thread is None:
                self._start()
            at = self._words[_PUSHED]
            while at - self._words[_DONE] >= SLOTS:
                time.sleep(1e-4)
            slot = at % SLOTS
            self._pieces[slot] = piece
            _packer(len(words) + 2).pack_into(self._ring, slot * WORDS * 8, kind, address, *words)
            _kernel(_PUSH).run_briefly(self._pointer)

    def open_when_reached(self, gate: Gate) -> None:
        """Open a gate when the work pushed so far is done, or dropped."""
        if not _CLOCK_AT:
            self.push(Piece("event record", "", gate.open_now, always=True))
            return
        words = (gate.lock, _RELEASE_AT, _CLOCK_AT, _CLOCK_ID, ctypes.addressof(gate.words))
        self.push(gate, ALWAYS, _kernel(_OPEN).address, words)

    def wait_for(self, gate: Gate) -> None:
        """Let work pushed from now on wait for a gate."""
        words = (gate.lock, _ACQUIRE_AT, _RELEASE_AT)
        self.push(gate, ALWAYS, _kernel(_PASS).address, words)

    def forgive(self) -> tuple[BaseException, Piece] | None:
        """Return what failed, if anything, and run what is pushed from now on."""
        failed, self.failed = self.failed, None
        if failed is not None:
            self._words[_FAILED] = 0
            add(0, -HOLD)
        return failed

    def stop(self, seconds: float) -> None:
        """End the thread after what is queued now, waiting for that at most some seconds."""
        if self._thread is not None:
            self.push(None)
            self._thread.join(timeout=seconds)

    def _start(self) -> None:
        self._ring = (ctypes.c_int64 * (SLOTS * WORDS))()
        self._words[_ACQUIRE:_SIDE] = (
            _ACQUIRE_AT, _RELEASE_AT, _python.PyThread_allocate_lock(),
            ctypes.addressof(self._ring), ctypes.addressof(BOARD),
        )  # fmt: skip
        for used in (self._words, self._ring):  # the thread may outlive Python's modules
            _python.Py_IncRef(ctypes.py_object(used))
        self._pointer = ctypes.cast(self._words, ctypes.c_char_p)
        self._thread = threading.Thread(target=self._serve, name=self.name, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._begin()
        drain = _kernel(_DRAIN).run
        while True:
            status = drain(self._pointer)  # 0: a piece is Python's to do
            slot = self._words[_DONE] % SLOTS
            piece, self._pieces[slot] = self._pieces[slot], None
            if piece is None:
                break
            try:
                if status:
                    raise (
                        piece.explain(status) if piece.explain else RuntimeError(f"status {status}")
                    )
                if piece.always or not self._words[_FAILED]:
                    piece.work()
            except BaseException as error:  # kept: the next synchronisation raises it
                if self.failed is None:
                    self.failed = error, piece._replace(work=None)
                    self._words[_FAILED] = 1
                    add(0, HOLD)
            del piece
        self._thread = None
        self._words[_BEGUN] = 0
        self._words[_DONE] += 1
        add(0, -1)
        add(1, -self._words[_SIDE])
