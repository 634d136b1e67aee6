"""Device memory: an address space of its own that the host cannot read.

One anonymous file is mapped twice. PyTorch is given addresses in the first mapping, which nobody
may read or write: a host access faults there, as it does on a real accelerator. Kernels add `DELTA`
and use the second, read-write mapping of the same bytes. No system call is needed per operator and
no other thread ever sees the memory unprotected.

It refuses to hand out memory (`allocator` does) and to pretend: where there is no ``memfd_create``
(anywhere but Linux) there is one plain mapping, `FAULTS` is False, and `WHY_NOT` says so.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

import torch

from workbench.errors import InputError

PAGE = 4096
_PROT_NONE, _MAP_SHARED = 0, 1  # <sys/mman.h> of Linux
_MADV_REMOVE = 9  # <asm-generic/mman-common.h>: drop the pages and their bytes


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


def _map_twice() -> tuple[int, mmap.mmap]:
    """Map one memory file for PyTorch (no access) and for kernels (read and write)."""
    descriptor = os.memfd_create("wb-device-memory")
    os.ftruncate(descriptor, _TOTAL)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    closed = libc.mmap(None, _TOTAL, _PROT_NONE, _MAP_SHARED, descriptor, 0)
    if closed in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "mmap of the device's address space")
    opened = mmap.mmap(descriptor, _TOTAL)
    os.close(descriptor)
    return closed, opened


FAULTS = sys.platform == "linux" and hasattr(os, "memfd_create")
"""Whether a host access to device memory faults."""

WHY_NOT = (
    ""
    if FAULTS
    else f"on {sys.platform} device memory is an ordinary mapping: a host access to it does not "
    "fault, because memfd_create exists on Linux only"
)

if FAULTS:
    BASE, _open = _map_twice()
else:
    _open = mmap.mmap(-1, _TOTAL)
    BASE = torch.frombuffer(_open, dtype=torch.uint8).data_ptr()

BYTES = torch.frombuffer(_open, dtype=torch.uint8)
"""The read-write mapping as one host tensor of bytes: what the kernels' side sees."""

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
    """Copy bytes out of device memory, through the kernels' mapping."""
    return ctypes.string_at(address + DELTA, nbytes)


def release(address: int, nbytes: int) -> None:
    """Give the pages of a free range back to the operating system; its bytes become zero."""
    first = -(-address // PAGE) * PAGE
    last = (address + nbytes) // PAGE * PAGE
    if FAULTS and last > first:
        _open.madvise(_MADV_REMOVE, first - BASE, last - first)
