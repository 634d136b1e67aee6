"""Running a compiled kernel: on the current stream, on one core or cut in two.

A kernel's first two words are its range, so splitting is handing two threads two ranges. It refuses
to inspect tensors: it is given addresses and numbers.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from struct import Struct

from workbench.torch_device.codegen.compiler import Kernel
from workbench.torch_device.core import streams

SPLIT_FROM = 1 << 16  # elements; below it, waking the second core costs more than it saves
_BRIEF = 4096  # elements; below it, giving Python's lock away costs more than the work
_structs: dict[int, Struct] = {}


class _Helper:
    """A second core: a thread that runs the other half of large kernels."""

    def __init__(self):
        self.work: queue.SimpleQueue = queue.SimpleQueue()
        self.free = threading.Lock()
        threading.Thread(target=self._serve, name="wb second core", daemon=True).start()

    def _serve(self) -> None:
        while True:
            run, words, done = self.work.get()
            done.append(run(words))
            done[0].release()

    def run(self, kernel: Kernel, words: bytes) -> list:
        done = [threading.Lock()]
        done[0].acquire()
        self.work.put((kernel.run, words, done))
        return done


_helper: _Helper | None = None


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
    if not streams._any_side_stream and not streams._recording and count * weight < _BRIEF:
        status = kernel.run_briefly(pack(0, count, *words))
        if status and explain is not None:
            raise explain(status)
        return

    def work():
        status = _run(kernel, count, words, weight)
        if status and explain is not None:
            raise explain(status)

    streams.launch(kernel.name, work)


def _run(kernel: Kernel, count: int, words: tuple[int, ...], weight: int) -> int:
    global _helper
    if count < 2 or count * weight < SPLIT_FROM:
        return kernel.run(pack(0, count, *words))
    _helper = _helper or _Helper()
    if not _helper.free.acquire(blocking=False):
        return kernel.run(pack(0, count, *words))
    try:
        half = count // 2
        other = _helper.run(kernel, pack(half, count, *words))
        status = kernel.run(pack(0, half, *words))
        other[0].acquire()
        return status or other[1]
    finally:
        _helper.free.release()
