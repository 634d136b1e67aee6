"""Running a compiled kernel: on the current stream, on one core or shared by several.

A kernel's first two words are its range, so any part of the work can be run by any thread. As many
cores are used as PyTorch uses (`torch.set_num_threads`). It refuses to inspect tensors: it is given
addresses and numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

import torch

from workbench.torch_device.codegen.compiler import Kernel
from workbench.torch_device.core import memory, streams
from workbench.torch_device.driver import team
from workbench.torch_device.driver.queue import BOARD

NOW = 1 << 19  # elements that an idle device's caller does itself: some 100 us on two cores
SPLIT_FROM = 1 << 15  # elements; below it, waking another core costs more than it saves
_BRIEF = 4096  # elements; below it, giving Python's lock away costs more than the work
_structs: dict[int, Struct] = {}


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
    if amount < NOW and not BOARD[0]:
        if amount < _BRIEF:
            status = kernel.run_briefly(pack(0, count, *words))
        else:
            status = _run(kernel, count, words, weight)
        if status and explain is not None:
            raise explain(status)
        return

    def work():
        status = _run(kernel, count, words, weight)
        if status and explain is not None:
            raise explain(status)

    stream = streams.current(_device_of(words))
    cores = _cores(count, amount)
    if cores < 2:
        stream.put_kernel(kernel, (0, count, *words), amount, explain, work)
    elif team.PARALLEL is not None:
        shared = team.share_out(kernel, count, words, cores)
        stream.put_kernel(shared, shared.words, amount, explain, work)
    else:
        stream.put(kernel.name, work, amount)


def _device_of(words: tuple[int, ...]) -> int | None:
    """Return the device whose memory a kernel works on: its words begin with the result's."""
    for word in words:
        device = memory.device_of(word - memory.DELTA)
        if device >= 0:
            return device
    return None


def _cores(count: int, amount: int) -> int:
    return min(torch.get_num_threads(), count) if amount >= SPLIT_FROM else 1


def _run(kernel: Kernel, count: int, words: tuple[int, ...], weight: int) -> int:
    cores = _cores(count, count * weight)
    if cores < 2:
        return kernel.run(pack(0, count, *words))
    return team.run(team.share_out(kernel, count, words, cores))
