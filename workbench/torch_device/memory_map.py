"""Who holds device memory: as records for a picture, and as words for an out-of-memory error.

It refuses to keep tensors alive: views are found among the objects that the garbage collector
knows.
"""

from __future__ import annotations

import contextlib
import gc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from workbench.torch_device.core import allocator, devices, memory

MIB = 1 << 20


@dataclass(frozen=True)
class Range:
    """One range of a device's address space.

    Attributes
    ----------
    start, nbytes : int
        Offset from the start of the device's memory, and size, in bytes.
    state : str
        ``"live"`` (a tensor's), ``"cached"`` (freed, kept for reuse) or ``"free"``.
    stream : int
        The stream a block belongs to; -1 for free ranges.
    views : tuple of str
        The tensors over a live block that Python can see.
    """

    start: int
    nbytes: int
    state: str
    stream: int
    views: tuple[str, ...] = ()


def _tensors(device: int) -> Iterator[torch.Tensor]:
    """Return the tensors on a device that Python can see."""
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor) and thing.device == torch.device("wb", device):
            with contextlib.suppress(RuntimeError):  # fake: no memory; nested: no shape
                _ = thing.untyped_storage().data_ptr(), thing.shape
                yield thing


def memory_map(device: int = 0) -> list[Range]:
    """Return a device's memory in order of addresses."""
    device = devices.index_of(device)
    pool, origin = allocator.POOLS[device], memory.base(device)
    live = live_blocks(device)
    views: dict[int, list[str]] = {}
    for thing in _tensors(device):
        address = thing.untyped_storage().data_ptr()
        offset = thing.storage_offset() * thing.element_size()
        text = f"{type(thing).__name__} {str(thing.dtype)[6:]}{list(thing.shape)}"
        views.setdefault(address, []).append(text + (f" + {offset} bytes" if offset else ""))
    with pool.lock:
        ranges = [
            Range(a - origin, size, "live" if a in live else "cached", stream,
                  tuple(sorted(set(views.get(a, ())))))
            for a, (size, stream) in pool.blocks.items()
        ]  # fmt: skip
        ranges += [
            Range(a - origin, size, "free", -1)
            for a, size in zip(pool.extents.starts, pool.extents.sizes, strict=True)
        ]
    return sorted(ranges, key=lambda r: r.start)


def live_blocks(device: int) -> dict[int, int]:
    """Return address -> bytes of the blocks that tensors hold now."""
    allocator.settle()  # `gather` forgets which stream a block was used on
    allocator.collect()
    allocator.gather()
    pool = allocator.POOLS[device]
    with pool.lock:
        cached = {address for addresses in pool.bins.values() for address in addresses}
        return {a: size for a, (size, _) in pool.blocks.items() if a not in cached}


def explain_shortage(device: int, asked: int) -> str:
    """Return the sentence of an out-of-memory error: what was asked, and what holds the rest."""
    pool = allocator.POOLS[device]
    held: Counter[str] = Counter()
    seen = set()
    for thing in _tensors(device):
        address = thing.untyped_storage().data_ptr()
        if address not in seen:
            seen.add(address)
            kind = "parameter" if isinstance(thing, torch.nn.Parameter) else "tensor"
            shape = "x".join(map(str, thing.shape)) or "scalar"
            held[f"{kind} {str(thing.dtype)[6:]}[{shape}]"] += thing.untyped_storage().nbytes()
    largest = "; ".join(f"{name}: {n / MIB:.1f} MiB" for name, n in held.most_common(5))
    held_now = allocator.statistics(device).allocated
    free_bytes, blocks = sum(pool.extents.sizes), len(live_blocks(pool.device))
    return (
        f"wb:{device} is out of memory: {asked / MIB:.1f} MiB asked for.\n"
        f"Seen: {memory.DEVICE_BYTES / MIB:.0f} MiB in all, {held_now / MIB:.1f} "
        f"MiB held by {blocks} live blocks, {free_bytes / MIB:.1f} MiB free in "
        f"{len(pool.extents.starts)} ranges, the largest of "
        f"{max(pool.extents.sizes, default=0) / MIB:.1f} MiB. Held by: {largest or 'nothing'}\n"
        "Try: delete what you no longer need, use a smaller batch, or set "
        "WORKBENCH_DEVICE_MEMORY_MIB before Python starts"
    )


allocator.explain = explain_shortage
