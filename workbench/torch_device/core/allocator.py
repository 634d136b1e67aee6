"""The caching allocator: where every byte of device memory is, and who may have it next.

Free memory lives in two places. *Extents* are ranges of the address space that nobody was ever
given or that were handed back; they are split and joined. *Bins* hold blocks that a tensor has
freed, by stream and exact size: taking one is a dictionary look-up, and is safe without waiting
because work on one stream runs in order. A block that other streams have used (`record_stream`)
joins its bin only when those streams have passed the point where it was freed.

When no bin and no extent fits, the bins are emptied into the extents and the search repeats; when
that fails too, `torch.OutOfMemoryError` says what holds the memory. This module refuses to know
what a tensor is; sizes are bytes, rounded up to `GRAIN`.
"""

from __future__ import annotations

import bisect
import gc
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from workbench.torch_device.core import memory

GRAIN = 512  # bytes: the alignment CUDA's allocator gives, wide enough for any vector load


@dataclass
class Statistics:
    """Counters of one device, in bytes and in events."""

    allocated: int = 0
    allocated_peak: int = 0
    reserved: int = 0
    reserved_peak: int = 0
    allocations: int = 0
    frees: int = 0
    cache_hits: int = 0
    out_of_memory: int = 0


@dataclass
class Extents:
    """Ranges of a device's address space that belong to no block, by address, never adjacent."""

    starts: list[int]
    sizes: list[int]

    def carve(self, nbytes: int) -> int:
        """Take `nbytes` from the smallest range that has them; return 0 where none has."""
        best = min(
            (i for i, size in enumerate(self.sizes) if size >= nbytes),
            key=self.sizes.__getitem__,
            default=-1,
        )
        if best < 0:
            return 0
        address = self.starts[best]
        if self.sizes[best] == nbytes:
            del self.starts[best], self.sizes[best]
        else:
            self.starts[best] += nbytes
            self.sizes[best] -= nbytes
        return address

    def give_back(self, address: int, nbytes: int) -> None:
        """Return a range and join it with its neighbours."""
        at = bisect.bisect(self.starts, address)
        self.starts.insert(at, address)
        self.sizes.insert(at, nbytes)
        for left in (at, at - 1):
            right = left + 1
            if not 0 <= left < right < len(self.starts):
                continue
            if self.starts[left] + self.sizes[left] == self.starts[right]:
                self.sizes[left] += self.sizes[right]
                del self.starts[right], self.sizes[right]


@dataclass
class Pool:
    """One device's memory."""

    device: int
    extents: Extents
    statistics: Statistics = field(default_factory=Statistics)
    bins: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    blocks: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Address of every carved block -> (bytes, stream it was allocated on)."""
    used_by: dict[int, set[int]] = field(default_factory=dict)
    """Blocks that streams other than their own have used -> those streams."""
    lock: threading.RLock = field(default_factory=threading.RLock)


POOLS = [
    Pool(i, Extents([memory.base(i)], [memory.DEVICE_BYTES])) for i in range(memory.DEVICE_COUNT)
]
POOLS[0].extents = Extents([memory.base(0) + GRAIN], [memory.DEVICE_BYTES - GRAIN])

stream_of: Callable[[int], int] = lambda device: 0  # noqa: E731  (streams puts its own here)
collect: Callable[[], None] = lambda: None  # noqa: E731
"""Frees the blocks of storages that have died since; `tensors` puts its own here."""
gather: Callable[[], None] = lambda: None  # noqa: E731
"""Gives back blocks that a cache in front of this one keeps; the shim puts its own here."""
explain: Callable[[int, int], str] = lambda device, size: f"wb:{device} is full"  # noqa: E731
"""Says what holds the memory; `memory_map` puts its own here."""
settle: Callable[[], None] = lambda: None  # noqa: E731
"""Waits for all queued work; `streams` puts its own here."""
after_streams: Callable[[set[int], Callable[[], None]], None] = lambda ids, then: then()  # noqa: E731


def allocate(nbytes: int, device: int) -> int:
    """Return the device address of a block of at least `nbytes` bytes.

    Raises
    ------
    torch.OutOfMemoryError
        Naming what holds the memory.
    """
    size = (nbytes + GRAIN - 1) // GRAIN * GRAIN or GRAIN
    pool = POOLS[device]
    stream = stream_of(device)
    for attempt in range(3):
        collect()
        with pool.lock:
            address = _take(pool, size, stream)
        if address:
            return address
        if attempt:  # the first time, what is cached may do; then, what only cycles hold
            gc.collect()
        empty_cache(device)
    pool.statistics.out_of_memory += 1
    raise torch.OutOfMemoryError(explain(device, size))


def _take(pool: Pool, size: int, stream: int) -> int:
    """Return a block from the stream's bin or from the extents; 0 where neither has one."""
    counted = pool.statistics
    cached = pool.bins.get((stream, size))
    if cached:
        address = cached.pop()
        counted.cache_hits += 1
    else:
        address = pool.extents.carve(size)
        if not address:
            return 0
        pool.blocks[address] = (size, stream)
        counted.reserved += size
        counted.reserved_peak = max(counted.reserved_peak, counted.reserved)
    counted.allocations += 1
    counted.allocated = held = counted.allocated + size
    if held > counted.allocated_peak:
        counted.allocated_peak = held
    return address


def free(address: int) -> None:
    """Take a block back: at once into its bin, or later where other streams still use it."""
    pool = POOLS[(address - memory.BASE) // memory.DEVICE_BYTES]
    with pool.lock:
        size, stream = pool.blocks[address]
        pool.statistics.allocated -= size
        pool.statistics.frees += 1
        others = pool.used_by.pop(address, None) if pool.used_by else None
        if not others:
            pool.bins[stream, size].append(address)
            return
    after_streams(others, lambda: pool.bins[stream, size].append(address))


def record_stream(address: int, stream: int) -> None:
    """Note that `stream` uses the block at `address`, so that its reuse waits for that stream."""
    pool = POOLS[memory.device_of(address)]
    block = block_at(address)
    if block is not None and pool.blocks[block][1] != stream:
        with pool.lock:
            pool.used_by.setdefault(block, set()).add(stream)


def block_at(address: int) -> int | None:
    """Return the address of the block that contains `address`, or None."""
    pool = POOLS[memory.device_of(address)]
    if address in pool.blocks:
        return address
    return next((a for a, (n, _) in pool.blocks.items() if a <= address < a + n), None)


def empty_cache(device: int) -> None:
    """Hand every cached block back to the extents and its pages to the operating system."""
    settle()  # queued work may still use what has been freed
    collect()
    gather()
    pool = POOLS[device]
    with pool.lock:
        for (_, size), addresses in pool.bins.items():
            for address in addresses:
                del pool.blocks[address]
                pool.extents.give_back(address, size)
                pool.statistics.reserved -= size
        pool.bins.clear()
        for start, size in zip(pool.extents.starts, pool.extents.sizes, strict=True):
            memory.release(start, size)


def _own_statistics(device: int) -> Statistics:
    collect()
    return POOLS[device].statistics


def _reset_own_peak(device: int) -> None:
    counted = _own_statistics(device)
    counted.allocated_peak, counted.reserved_peak = counted.allocated, counted.reserved


statistics: Callable[[int], Statistics] = _own_statistics
"""Returns a device's counters; the shim, which counts what its own cache answers, puts its own."""
reset_peak: Callable[[int], None] = _reset_own_peak
"""Starts a device's peaks again from what is held now."""
