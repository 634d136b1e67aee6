"""The device's cores: how one kernel's work is shared out between several threads.

The threads are those of the OpenMP team that PyTorch's own kernels run on. A team of our own would
fight with it for the same cores, since a waiting OpenMP thread spins for a while before it sleeps;
and a team that spins starts within microseconds. Where PyTorch was built without GNU OpenMP's entry
point (``GOMP_parallel``), a pool of Python threads does the same more slowly, and `WHY_POOL` says
so. Work is taken in pieces, so that a core that comes late or is busy takes fewer of them.

It refuses to decide what is worth sharing: `codegen.launch` does.
"""

from __future__ import annotations

import ctypes
from concurrent.futures import ThreadPoolExecutor
from functools import cache, reduce
from operator import or_
from struct import Struct
from typing import NamedTuple

from workbench.torch_device.codegen.compiler import Kernel, compile_kernel

_SHARES = 8  # pieces per core
_HEAD = 8  # words before the threads' own, see `_TAKE`
_LINE = 8  # words in a cache line: what one thread writes is no neighbour of another's
_WORDS = Struct("4q")

_TAKE = """
def kernel(w):
    # w: threads met so far, next index, end, piece, the kernel, words per thread, two unused; then
    #    one copy of the kernel's words for each thread, the last of each being its status
    at = 8 + add_to(address_of(w), 1) * w[5]
    last = at + w[5] - 1
    while True:
        first = add_to(address_of(w) + 8, w[3])
        if first >= w[2]:
            return 0
        w[at], w[at + 1] = first, min(first + w[3], w[2])
        w[last] |= call_kernel(w[4], offset_words(w, at))
"""

_SHARE = """
def kernel(w):
    # w: GOMP_parallel, the taker, its block, threads
    call_with(w[0], (w[1], w[2], w[3], 0))
    block = p_i8(w[2])
    status = 0
    for thread in range(w[3]):
        status |= block[7 + (thread + 1) * block[5]]
    return status
"""


class Shared(NamedTuple):
    """A kernel's work, shared out: a kernel itself, with its words and what they point to."""

    name: str
    address: int
    words: tuple[int, int, int, int]
    block: ctypes.Array


def _openmp():
    """Return GNU OpenMP's way to run a function on the team, or None where there is none."""
    try:
        found = ctypes.CDLL(None).GOMP_parallel  # loaded, and made global, by PyTorch
    except (AttributeError, OSError, TypeError):  # TypeError: Windows has no global namespace
        return None
    found.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    found.restype = None
    return found


PARALLEL = _openmp()
"""``GOMP_parallel(function, its argument, threads, flags)``: an entry point of libgomp's ABI."""

WHY_POOL = "" if PARALLEL else "PyTorch's OpenMP runtime here has no GOMP_parallel"
"""Why a pool of Python threads serves as the cores, or nothing where it does not."""


@cache
def taker() -> Kernel:
    """Return the kernel that takes pieces of another kernel's range until none are left."""
    return compile_kernel("take_pieces", _TAKE)


@cache
def _sharer() -> Kernel:
    return compile_kernel("share_out", _SHARE)


@cache
def _layout(count: int, threads: int):
    """Return words per thread, a packer for one thread's words, and the whole block's type."""
    each = -(-(count + 3) // _LINE) * _LINE
    return each, Struct(f"{count + 2}q"), ctypes.c_int64 * (_HEAD + threads * each)


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="wb core")


def share_out(kernel: Kernel, count: int, words: tuple[int, ...], threads: int) -> Shared:
    """Share out a kernel's work over ``range(count)`` between several threads; `run` does it.

    Parameters
    ----------
    kernel : Kernel
    count : int
        How many rows or elements.
    words : tuple of int
        What follows the range in the kernel's words.
    threads : int
    """
    each, packer, kind = _layout(len(words), threads)
    block = kind()
    piece = max(1, count // (threads * _SHARES))
    block[:6] = 0, 0, count, piece, kernel.address, each
    own, start = packer.pack(0, 0, *words), ctypes.addressof(block)
    for thread in range(threads):
        ctypes.memmove(start + 8 * (_HEAD + thread * each), own, len(own))
    entry = ctypes.cast(PARALLEL, ctypes.c_void_p).value if PARALLEL else 0
    words = entry or 0, taker().address, start, threads
    return Shared(kernel.name, _sharer().address, words, block)


def run(shared: Shared) -> int:
    """Do what was shared out on several threads, and return their statuses, or-ed."""
    start, threads = shared.words[2:]
    if PARALLEL is not None:
        return _sharer().run(_WORDS.pack(*shared.words))
    at = ctypes.cast(start, ctypes.c_char_p)
    list(_pool(threads).map(lambda _: taker().run(at), range(threads)))
    each = shared.block[5]
    return reduce(or_, shared.block[_HEAD + each - 1 :: each])
