"""Device tensors: real storages over blocks of device memory, and the kernels' view of them.

Without a line of C++, a DLPack capsule of device type 12 (`kDLExtDev`, dlpack.h) becomes a plain
`torch.Tensor` with a storage at an address of our choice and a deleter that returns the block.
Each block keeps one DLPack record for life; making a tensor writes its shape, strides and type
straight into that record. Where the C++ shim is loaded, storages come from its allocator instead
and this module's `empty_strided` is replaced by the shim's (see `shim`).

`host` goes the other way: a CPU tensor over the same bytes, through the mapping that kernels use.
It refuses layouts that are not strided.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from functools import cache

import torch

from workbench.torch_device.codegen.compiler import compile_kernel
from workbench.torch_device.core import allocator, memory

NAME = "wb"
MAX_DIMS = 64  # c10: what a TensorIterator can take


class _Device(ctypes.Structure):
    _fields_ = (("device_type", ctypes.c_int), ("device_id", ctypes.c_int))


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int),
        ("dtype", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    """`DLManagedTensor` of dlpack.h."""

    _fields_ = (
        ("tensor", _Tensor),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("dropped", ctypes.c_void_p),  # ours: the address of `_dropped`, for the deleter
    )


_EXT_DEVICE = 12  # kDLExtDev
_CODES = {  # torch dtype -> (DLDataTypeCode, bits): dlpack.h
    torch.int8: (0, 8),
    torch.int16: (0, 16),
    torch.int32: (0, 32),
    torch.int64: (0, 64),
    torch.uint8: (1, 8),
    torch.uint16: (1, 16),
    torch.uint32: (1, 32),
    torch.uint64: (1, 64),
    torch.float16: (2, 16),
    torch.float32: (2, 32),
    torch.float64: (2, 64),
    torch.bfloat16: (4, 16),
    torch.complex32: (5, 32),
    torch.complex64: (5, 64),
    torch.complex128: (5, 128),
    torch.bool: (6, 8),
}

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_from_dlpack = torch._C._from_dlpack
_records: dict[int, list] = {}


# Storages die anywhere: on any thread, or while a Python exception is on its way, when no Python
# may run. So the deleter is compiled, and only puts the record on a lock-free stack (R. K. Treiber,
# IBM RJ 5118, 1986), linked through the records' contexts; the allocator collects it. As a kernel's
# words a record has its context in w[6] and the address of the stack's top in w[8].
_PUSH = """
def kernel(w):
    mine, seen = address_of(w), 0
    while True:
        w[6] = seen
        before = swap_if(w[8], seen, mine)
        if before == seen:
            return 0
        seen = before
"""
_TAKE_ALL = """
def kernel(w):
    seen = 0
    while True:
        before = swap_if(w[0], seen, 0)
        if before == seen:
            return seen
        seen = before
"""
_deleter = compile_kernel("drop", _PUSH)
_take_all = compile_kernel("take_dropped", _TAKE_ALL)
_dropped = ctypes.c_int64(0)
_dropped_at = ctypes.addressof(_dropped).to_bytes(8, sys.byteorder)
_by_record: dict[int, tuple[int, _Managed]] = {}


def collect_dropped() -> None:
    """Hand the blocks of storages that have died back to the allocator."""
    if _dropped.value:
        record = _take_all.run_briefly(_dropped_at)
        while record:
            address, managed = _by_record[record]
            record = managed.context
            allocator.free(address)


def _record(address: int, device: int) -> list:
    """Return the DLPack record of a block, made once."""
    made = _records.get(address)
    if made is None:
        managed = _Managed()
        shape, strides = (ctypes.c_int64 * MAX_DIMS)(), (ctypes.c_int64 * MAX_DIMS)()
        tensor = managed.tensor
        tensor.data, tensor.device = address, _Device(_EXT_DEVICE, device)
        tensor.shape, tensor.strides, tensor.dtype.lanes = shape, strides, 1
        managed.deleter, managed.dropped = _deleter.address, ctypes.addressof(_dropped)
        pointer = ctypes.addressof(managed)
        made = [pointer, tensor, tensor.dtype, shape, strides, managed, None]
        _records[address] = made
        _by_record[pointer] = (address, managed)
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(managed))  # a storage may outlive Python
    return made


def contiguous_strides(size: Sequence[int]) -> list[int]:
    """Return the strides (in elements) of a row-major tensor."""
    strides, step = [1] * len(size), 1
    for i in range(len(size) - 1, -1, -1):
        strides[i] = step
        step *= max(int(size[i]), 1)
    return strides


def span(size: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many elements lie between the first and the last, both included."""
    if 0 in size:
        return 0
    return 1 + sum((n - 1) * step for n, step in zip(size, strides, strict=True))


def empty_strided(
    size: Sequence[int], strides: Sequence[int], dtype: torch.dtype, device: int
) -> torch.Tensor:
    """Return a tensor over a fresh block, its bytes left as they are.

    Raises
    ------
    torch.OutOfMemoryError
        See `allocator.allocate`.
    """
    code = _CODES.get(dtype)
    if code is None:
        nbytes = span(size, strides) * dtype.itemsize
        return (
            empty_strided([nbytes], [1], torch.uint8, device).view(dtype).as_strided(size, strides)
        )
    if len(size) > MAX_DIMS:
        raise RuntimeError(f"ndim {len(size)} is more than the {MAX_DIMS} that a tensor may have")
    address = allocator.allocate(span(size, strides) * dtype.itemsize, device)
    record = _record(address, device)
    pointer, tensor, kind, shape, steps, _, _ = record
    record[6] = None
    tensor.ndim = len(size)
    kind.code, kind.bits = code
    shape[: len(size)] = size
    steps[: len(size)] = strides
    return _from_dlpack(_new_capsule(pointer, b"dltensor", None))


def empty(size: Sequence[int], dtype: torch.dtype, device: int) -> torch.Tensor:
    """Return a row-major tensor over a fresh block."""
    return empty_strided(size, contiguous_strides(size), dtype, device)


@cache
def _blank(dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(0, dtype=dtype)


def host(tensor: torch.Tensor) -> torch.Tensor:
    """Return a CPU tensor over the same bytes as a device tensor, without copying.

    The caller has made sure that no stream is still writing them (`streams.wait_for_current`).
    """
    if tensor.layout is not torch.strided:
        raise NotImplementedError(f"wb has no {tensor.layout} tensors")
    address = tensor.data_ptr()
    if not address:
        return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
    offset, misaligned = divmod(address - memory.BASE, tensor.element_size())
    alias = _blank(tensor.dtype).detach()
    if misaligned:  # a view that starts between two elements: x86 reads it all the same
        storage, offset = memory.storage_at(address), 0
    else:
        storage = memory.STORAGE
    alias.set_(storage, offset, tensor.size(), tensor.stride())
    if tensor.is_conj():
        alias = torch._conj(alias)
    return torch._neg_view(alias) if tensor.is_neg() else alias


def is_device(value: object) -> bool:
    """Return whether `value` is a tensor on a ``wb`` device."""
    return isinstance(value, torch.Tensor) and value.device.type == NAME


ctypes.pythonapi.Py_IncRef(ctypes.py_object(_dropped))
allocator.collect = collect_dropped
