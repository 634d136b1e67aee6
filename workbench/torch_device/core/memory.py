"""Device memory: an address space of its own that the host cannot read.

PyTorch is given addresses in a range that nobody may read or write: a host access faults there, as
it does on a real accelerator. The bytes lie `DELTA` further on, where kernels work. No system call
is needed per operator, and no other thread ever sees the memory unprotected. Large pages are asked
for, as GPUs use them: fewer addresses have to be looked up on the way through a tensor.

It refuses to hand out memory (`allocator` does) and to pretend: anywhere but on Linux there is one
plain mapping, `FAULTS` is False, and `WHY_NOT` says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import sys

import torch

from workbench.errors import InputError

PAGE = 4096
_PROT_NONE, _MAP_NORESERVE = 0, 0x4000  # <sys/mman.h> of Linux; Python names them from 3.13 on


def from_environment(name: str, default: int, least: int, most: int) -> int:
    """Return a whole number that an environment variable gives."""
    text = os.environ.get(name, str(default))
    if not text.isdigit() or not least <= int(text) <= most:
        raise InputError(
            f"The environment variable {name} cannot be used.",
            repr(text),
            f"a whole number between {least} and {most}",
        )
    return int(text)


DEVICE_COUNT = from_environment("WORKBENCH_DEVICE_COUNT", 2, 1, 8)
"""How many ``wb`` devices there are (``WORKBENCH_DEVICE_COUNT``)."""

DEVICE_BYTES = from_environment("WORKBENCH_DEVICE_MEMORY_MIB", 1024, 1, 1 << 16) << 20
"""Memory of each device in bytes (``WORKBENCH_DEVICE_MEMORY_MIB``); used pages only are real."""

_TOTAL = DEVICE_COUNT * DEVICE_BYTES


FAULTS = sys.platform == "linux"
"""Whether a host access to device memory faults."""

WHY_NOT = (
    ""
    if FAULTS
    else f"on {sys.platform} device memory is an ordinary mapping: a host access to it does not "
    "fault, because the range of addresses that nobody may use is made by Linux's calls only"
)


def _closed_range() -> int:
    """Return the first address of a range that nobody may read or write."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    closed = libc.mmap(None, _TOTAL, _PROT_NONE, flags, -1, 0)
    if closed in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap of the device's address space")
    return closed


def _open_range() -> mmap.mmap:
    """Return the bytes themselves, on large pages where the system has them."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
    opened = mmap.mmap(-1, _TOTAL, flags=flags)
    with contextlib.suppress(OSError):  # a kernel without them: slower, and nothing else
        opened.madvise(mmap.MADV_HUGEPAGE)
    return opened


_open = _open_range() if FAULTS else mmap.mmap(-1, _TOTAL)

BYTES = torch.frombuffer(_open, dtype=torch.uint8)
"""The bytes as one host tensor: what the kernels' side sees."""

BASE = _closed_range() if FAULTS else BYTES.data_ptr()
"""The first device address."""

STORAGE = BYTES.untyped_storage()
DELTA = BYTES.data_ptr() - BASE
"""Device address + `DELTA` = the address of the same byte for a kernel."""

END = BASE + _TOTAL

pinned: set[int] = set()
"""Addresses of the pinned host storages, which a copy may read when Python has gone on."""


def base(device: int) -> int:
    """Return the first address of a device's memory."""
    return BASE + device * DEVICE_BYTES


def device_of(address: int) -> int:
    """Return the device that an address belongs to, or -1 for host memory."""
    return (address - BASE) // DEVICE_BYTES if BASE <= address < END else -1


def storage_at(address: int) -> torch.UntypedStorage:
    """Return a host storage that begins at a device address, whatever its alignment."""
    return torch.frombuffer(_open, dtype=torch.uint8, offset=address - BASE).untyped_storage()


def read(address: int, nbytes: int) -> bytes:
    """Copy bytes out of device memory, where kernels work."""
    return ctypes.string_at(address + DELTA, nbytes)


def release(address: int, nbytes: int) -> None:
    """Give the pages of a free range back to the operating system; its bytes become zero."""
    first = -(-address // PAGE) * PAGE
    last = (address + nbytes) // PAGE * PAGE
    if FAULTS and last > first:
        _open.madvise(mmap.MADV_DONTNEED, first - BASE, last - first)
