"""The compiled side of a stream's queue: the loop that drains it, gates, and counting.

All of it runs without Python's lock, and calls Python's own locks and the C library's clock by
address. The words of the loop are named here, for `queue`, which owns the memory they lie in.
It refuses to know what a piece of work is: a kernel's address with words, or Python's business.
"""

# The compiled kernels' signatures are untyped.
# pyright: reportArgumentType=false

from __future__ import annotations

import ctypes
import time
from functools import cache

from workbench.torch_device.codegen.compiler import Kernel, compile_kernel

SLOTS = 1024  # pieces; CUDA's launch queue has about as many, and waits when it is full, too
WORDS = 160  # of a slot: its kind, its kernel's address, the kernel's words
PYTHON, KERNEL, PASSES, OPENS = range(4)
"""Kinds of pieces; the last two wait for a gate and open one, on a failed stream, too."""
(PUSHED, DONE, FAILED, STATUS, HELPED, SIDE, ACQUIRE, RELEASE, WAKE, HEAD, RING, BOARD, STEP_AT,
 ADVANCE_AT) = range(14)  # fmt: skip
"""The loop's words: counts of pieces, marks, functions, two locks (the thread sleeps on the first;
whoever does the piece at the head holds the second), addresses."""
COUNT = ADVANCE_AT + 1
"""How many words the loop has."""
EMPTY, OTHERS = -1, -2
"""A step's results where there is no piece, or where Python or the stream's own thread must act."""

STEP = f"""
def kernel(w):
    done = add_to(address_of(w) + {8 * DONE}, 0)
    if add_to(address_of(w), 0) == done:
        return {EMPTY}
    slot = p_i8(w[{RING}] + done % {SLOTS} * {8 * WORDS})
    if slot[0] == {PYTHON} or w[{STATUS}] or slot[0] == {PASSES} and w[{HELPED}]:
        return {OTHERS}
    if slot[0] == {OPENS}:  # counted first: who has waited finds the stream idle
        call_kernel(w[{ADVANCE_AT}], w)
        return call_kernel(slot[1], offset_words(slot, 2))
    if slot[0] == {PASSES} or not add_to(address_of(w) + {8 * FAILED}, 0):
        w[{STATUS}] = call_kernel(slot[1], offset_words(slot, 2))
    return {OTHERS} if w[{STATUS}] else call_kernel(w[{ADVANCE_AT}], w)
"""
"""Do the piece at the head, which the caller holds; return 0 where it is done."""

ADVANCE = f"""
def kernel(w):
    add_to(address_of(w) + {8 * DONE}, 1)
    add_to(w[{BOARD}] + 8, -w[{SIDE}])
    add_to(w[{BOARD}], -1)
    return 0
"""
"""Count the piece at the head as done."""

DRAIN = f"""
def kernel(w):
    while True:
        result = call_kernel(w[{STEP_AT}], w)
        if result == {EMPTY}:
            call_with(w[{RELEASE}], (w[{HEAD}], 0))
            call_with(w[{ACQUIRE}], (w[{WAKE}], 1))
            call_with(w[{ACQUIRE}], (w[{HEAD}], 1))
        elif result == {OTHERS}:
            status = w[{STATUS}]
            w[{STATUS}] = 0
            return status
"""
"""Do piece after piece; return 0 where one is Python's, or a kernel's status that is not 0."""

HELP = f"""
def kernel(w):
    if not call_with(w[{ACQUIRE}], (w[{HEAD}], 0)) & 1:
        return 0
    w[{HELPED}] = 1
    result = call_kernel(w[{STEP_AT}], w)
    w[{HELPED}] = 0
    call_with(w[{RELEASE}], (w[{HEAD}], 0))
    return 1 if result == 0 else 0
"""
"""Do the piece at the head from another thread, where nobody is at it; return whether it is done.
A kernel's error stays for the stream's own thread, and so does waiting for a gate."""

PUSH = f"""
def kernel(w):
    add_to(w[{BOARD}], 1)
    add_to(w[{BOARD}] + 8, w[{SIDE}])
    add_to(address_of(w), 1)
    call_with(w[{RELEASE}], (w[{WAKE}], 0))
    return 0
"""
"""Count a piece that has been written into its slot, and wake the loop."""

PASS = """
def kernel(w):
    call_with(w[1], (w[0], 1))  # a gate stays open: who has passed it leaves it open
    call_with(w[2], (w[0], 0))
    return 0
"""
"""Wait until a gate is open. Words: its lock, how to acquire it and how to release it."""

OPEN = """
def kernel(w):
    call_with(w[2], (w[3], w[4]))
    add_to(w[4] + 16, 1)
    call_with(w[1], (w[0], 0))
    return 0
"""
"""Stamp a gate and open it. Words: its lock, release, clock, which clock, where to."""

ADD = """
def kernel(w):
    add_to(w[0], w[1])
    return 0
"""
"""Add to a word that other threads add to. Words: its address, the amount."""


@cache
def kernel(text: str) -> Kernel:
    """Return one of the texts above, compiled."""
    return compile_kernel("queue", text)


def _address(function) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _clock() -> int:
    """Return the address of ``clock_gettime``, whose clock Python's counter reads; 0 if absent."""
    try:
        return _address(ctypes.CDLL(None).clock_gettime)
    except (AttributeError, TypeError):  # TypeError: Windows has no global namespace
        return 0


_python = ctypes.pythonapi
ACQUIRE_AT, RELEASE_AT, TIMED_AT = map(
    _address,
    (_python.PyThread_acquire_lock, _python.PyThread_release_lock,
     _python.PyThread_acquire_lock_timed),
)  # fmt: skip
CLOCK_AT, CLOCK_ID = _clock(), getattr(time, "CLOCK_MONOTONIC", 0)
