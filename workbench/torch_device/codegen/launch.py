"""Running a compiled kernel: on the current stream, on one core or shared by several.

A kernel's first two words are its range, so any part of the work can be run by any thread. As many
cores are used as PyTorch uses (`torch.set_num_threads`). It refuses to inspect tensors: it is given
addresses and numbers.
"""

from __future__ import annotations

import ctypes
import queue
import threading
from collections.abc import Callable
from functools import cache
from struct import Struct

import torch

from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.core import memory, streams
from workbench.torch_device.core.queue import BOARD

SPLIT_FROM = 1 << 16  # elements; below it, waking another core costs more than it saves
_BRIEF = 4096  # elements; below it, giving Python's lock away costs more than the work
_structs: dict[int, Struct] = {}


_SHARES = 4  # pieces per core: a core that comes late, or is busy, takes fewer of them

_TAKE = """
def kernel(w):
    # w[2]: the kernel, w[3]: address of the next index, w[4]: end, w[5]: piece; then its words
    status, done = 0, 0
    while True:
        first = add_to(w[3], w[5])
        if first >= w[4]:
            w[0] = done
            return status
        w[6], w[7] = first, min(first + w[5], w[4])
        done += w[7] - w[6]
        status |= call_kernel(w[2], offset_words(w, 6))
"""


class _Helper:
    """Another core: a thread that takes pieces of large kernels until none are left."""

    def __init__(self):
        self.work: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="wb core", daemon=True).start()

    def _serve(self) -> None:
        while True:
            share = self.work.get()
            share.take(self)
            del share


class _Share:
    """One kernel's work, shared out: each core takes the next piece, counting atomically."""

    def __init__(self, kernel: Kernel, count: int, words: tuple[int, ...], cores: int):
        self.next = ctypes.c_int64(0)
        piece = max(1, count // (cores * _SHARES))
        self.words = (0, 0, kernel.address, ctypes.addressof(self.next), count, piece, 0, 0, *words)
        self.count, self.done, self.status = count, 0, 0
        self.finished = threading.Condition()

    def take(self, helper: _Helper | None) -> None:
        mine = (ctypes.c_int64 * len(self.words))(*self.words)
        status = _taker().run(ctypes.cast(mine, ctypes.c_char_p))
        with self.finished:
            self.done += mine[0]
            self.status = self.status or status
            if helper is not None:
                _idle.append(helper)
            self.finished.notify()

    def wait(self) -> int:
        with self.finished:
            self.finished.wait_for(lambda: self.done == self.count)
        return self.status


_idle: list[_Helper] = []
_team: list[_Helper] = []


@cache
def _taker() -> Kernel:
    return compile_kernel("take_pieces", _TAKE)


def pack(*words: int) -> bytes:
    """Return words as the bytes a kernel reads."""
    count = len(words)
    packer = _structs.get(count)
    if packer is None:
        packer = _structs[count] = Struct(f"{count}q")
    return packer.pack(*words)


def launch(
    kernel: Kernel,
    count: int,
    words: tuple[int, ...],
    weight: int = 1,
    explain: Callable[[int], Exception] | None = None,
) -> None:
    """Run a kernel over ``range(count)`` on the current stream.

    Parameters
    ----------
    kernel : Kernel
    count : int
        How many rows or elements.
    words : tuple of int
        What follows the range in the kernel's words.
    weight : int, optional
        Elements per row, to judge whether the work is worth splitting.
    explain : callable, optional
        Turns a status other than 0 into the error to raise.
    """
    amount = count * weight
    if amount < streams.SMALL and not BOARD[0]:
        run = kernel.run_briefly if amount < _BRIEF else kernel.run
        status = run(pack(0, count, *words))
        if status and explain is not None:
            raise explain(status)
        return

    def work():
        status = _run(kernel, count, words, weight)
        if status and explain is not None:
            raise explain(status)

    stream = streams.current(_device_of(words))
    if amount < SPLIT_FROM or torch.get_num_threads() < 2:
        stream.put_kernel(kernel, (0, count, *words), amount, explain, work)
    else:
        stream.put(kernel.name, work, amount)


def _device_of(words: tuple[int, ...]) -> int | None:
    """Return the device whose memory a kernel works on: its words begin with the result's."""
    for word in words:
        device = memory.device_of(word - memory.DELTA)
        if device >= 0:
            return device
    return None


def _run(kernel: Kernel, count: int, words: tuple[int, ...], weight: int) -> int:
    cores = min(torch.get_num_threads(), count)
    if cores < 2 or count * weight < SPLIT_FROM:
        return kernel.run(pack(0, count, *words))
    while len(_team) < cores - 1:
        _team.append(_Helper())
        _idle.append(_team[-1])
    share = _Share(kernel, count, words, cores)
    for _ in range(cores - 1):
        try:
            _idle.pop().work.put(share)
        except IndexError:  # all at work for another stream: this thread takes every piece
            break
    share.take(None)
    return share.wait()
