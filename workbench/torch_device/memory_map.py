"""A picture of device memory as records: which range is held, cached or free, and by which views.

It refuses to keep tensors alive: views are found among the objects that the garbage collector
knows.
"""

from __future__ import annotations

import gc
from dataclasses import dataclass

import torch

from workbench.torch_device.core import allocator, memory


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


def memory_map(device: int = 0) -> list[Range]:
    """Return a device's memory in order of addresses."""
    pool, origin = allocator.POOLS[device], memory.base(device)
    live = allocator.live_blocks(device)
    views: dict[int, list[str]] = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), torch.Tensor) and thing.device == torch.device("wb", device):
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
