"""The operators a device cannot live without: allocation, views, copies, resizing, one scalar.

Views compute no element, so PyTorch's own metadata kernels serve: each is redispatched as if the
tensor were on the CPU, and the result shares the device storage. Copies are the only way across the
border. Everything here is registered by `register`, from two tables.

It refuses to compute: an operator with arithmetic in it belongs to a family in `ops`.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import torch

from workbench.torch_device import traffic
from workbench.torch_device.core import memory, streams, tensors
from workbench.torch_device.core.tensors import contiguous_strides, host

_aten = torch.ops.aten
_CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)

METADATA_KERNELS = (
    "as_strided",
    "view",
    "view.dtype",
    "_reshape_alias",
    "unfold",
    "alias",
    "is_set_to",
    "set_.source_Storage_storage_offset",
    "set_.source_Storage",
    "set_.source_Tensor",
    "view_as_real",
    "view_as_complex",
)
"""Operators that only rewrite sizes and strides: PyTorch's CPU metadata kernels answer them."""


def overload(name: str) -> Any:
    """Return the operator overload of a name such as ``"add.Tensor"``."""
    base, _, which = name.partition(".")
    return getattr(getattr(_aten, base), which or "default")


def _as_cpu(name: str):
    redispatch = overload(name)._handle.redispatch_boxed
    return lambda *args, **kwargs: redispatch(_CPU, *args, **kwargs)


_set = _as_cpu("set_.source_Storage_storage_offset")


def device_index(device: torch.device | None) -> int:
    """Return the index of a requested device, the current one where none is named.

    Raises
    ------
    RuntimeError
        For an index beyond the last device, in the words PyTorch uses for CUDA.
    """
    index = (
        device.index
        if device is not None and device.index is not None
        else streams.current_device()
    )
    if not 0 <= index < memory.DEVICE_COUNT:
        raise RuntimeError(
            f"wb error: invalid device ordinal {index}; there are {memory.DEVICE_COUNT} devices, "
            "set WORKBENCH_DEVICE_COUNT before Python starts for more"
        )
    return index


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, pin_memory=None):
    """Allocate a tensor with the given sizes and strides."""
    if layout is not None and layout is not torch.strided:
        raise NotImplementedError(f"wb has no {layout} tensors; call .to_dense() on the CPU first")
    if pin_memory:
        raise RuntimeError("Only dense CPU tensors can be pinned")
    return tensors.empty_strided(
        size, stride, dtype or torch.get_default_dtype(), device_index(device)
    )


def empty(size, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    """Allocate a tensor in a memory format."""
    if any(n < 0 for n in size):
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {min(size)}: {list(size)}"
        )
    if memory_format in (torch.channels_last, torch.channels_last_3d):
        strides = torch.empty(size, memory_format=memory_format, device="meta").stride()
    else:
        strides = contiguous_strides(size)
    return empty_strided(
        size, strides, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory
    )


on_device: Callable[[torch.Tensor, torch.Tensor], bool] = lambda source, destination: False  # noqa: E731
"""Copies within one device with a kernel of our own, or returns False; `ops` puts it here."""


def copy_from(source, destination, non_blocking=False):
    """Copy between the host and a device, or between devices, converting the dtype."""
    way = traffic.direction(source, destination)
    nbytes = source.numel() * source.element_size()
    traffic.count(way, nbytes)
    if not nbytes:
        return destination
    if way == "d2d" and source.device == destination.device and on_device(source, destination):
        return destination
    if way != "d2d" and _plain(source, destination):
        _transfer(way, source, destination, nbytes, non_blocking)
        return destination
    staged = _staged(way, source, destination, non_blocking)
    if not staged:  # a dtype without kernels: the CPU copies, and that is counted
        traffic.fell_back("aten::copy_", 2 * nbytes)
        streams.wait_for_current()
        _alias(destination).copy_(_alias(source))
    return destination


def _plain(source, destination) -> bool:
    """Whether the bytes can cross as they are."""
    return (
        source.dtype == destination.dtype
        and source.is_contiguous()
        and destination.is_contiguous()
        and source.shape == destination.shape
        and not (source.is_conj() or source.is_neg())
        and not (destination.is_conj() or destination.is_neg())
    )


def _transfer(way, source, destination, nbytes, non_blocking) -> None:
    """Move bytes across the border, as a copy engine does: in the stream if the host is pinned."""
    to, frm = destination.data_ptr(), source.data_ptr()
    to, frm = (to + memory.DELTA, frm) if way == "h2d" else (to, frm + memory.DELTA)
    host_side = source if way == "h2d" else destination
    if non_blocking and streams.is_pinned(host_side):
        keep = (source, destination)
        if streams.enqueue_host(f"copy {way}", lambda: ctypes.memmove(to, frm, nbytes) and keep):
            return
    streams.wait_for_current()
    ctypes.memmove(to, frm, nbytes)


def _staged(way, source, destination, non_blocking) -> bool:
    """Copy through a contiguous buffer: conversion and strides are the device's work."""
    if way == "h2d":
        plain = source.resolve_conj().resolve_neg().expand(destination.shape).contiguous()
        landed = tensors.empty(plain.shape, plain.dtype, destination.device.index)
        _transfer(way, plain, landed, plain.numel() * plain.element_size(), False)
        return on_device(landed, destination)
    if way == "d2h":
        ready = tensors.empty(source.shape, destination.dtype, source.device.index)
        if not on_device(source, ready):
            return False
        if destination.is_contiguous() and destination.shape == source.shape:
            _transfer(way, ready, destination, ready.numel() * ready.element_size(), non_blocking)
        else:
            landed = torch.empty(source.shape, dtype=destination.dtype)
            _transfer(way, ready, landed, ready.numel() * ready.element_size(), False)
            destination.copy_(landed)
        return True
    if source.device == destination.device:
        return False
    there = tensors.empty(source.shape, destination.dtype, source.device.index)
    if not on_device(source, there):
        return False
    streams.wait_for_current(source.device.index)
    here = tensors.empty(source.shape, destination.dtype, destination.device.index)
    nbytes = here.numel() * here.element_size()
    ctypes.memmove(here.data_ptr() + memory.DELTA, there.data_ptr() + memory.DELTA, nbytes)
    return on_device(here, destination)


def _alias(tensor):
    return host(tensor) if tensor.device.type == tensors.NAME else tensor


def copy_from_and_resize(source, destination):
    """Copy, first giving the destination the source's shape."""
    if destination.shape != source.shape:
        destination.resize_(source.shape)
    return copy_from(source, destination)


def resize_(self, size, *, memory_format=None):
    """Change a tensor's shape, moving it to a larger block where its own is too small."""
    size = [int(n) for n in size]
    if list(self.size()) == size:
        return self
    strides = contiguous_strides(size)
    if memory_format in (torch.channels_last, torch.channels_last_3d):
        strides = list(torch.empty(size, memory_format=memory_format, device="meta").stride())
    itemsize = self.element_size()
    needed = (tensors.span(size, strides) + self.storage_offset()) * itemsize
    storage = self.untyped_storage()
    if needed > storage.nbytes():
        storage = _grown(storage, needed, self.device.index)
    return _set(self, storage, self.storage_offset(), size, strides)


def _grown(storage, nbytes: int, device: int):
    fresh = tensors.empty([nbytes], torch.uint8, device).untyped_storage()
    kept = min(storage.nbytes(), nbytes)
    if kept:
        streams.wait_for_current()
        ctypes.memmove(fresh.data_ptr() + memory.DELTA, storage.data_ptr() + memory.DELTA, kept)
    return fresh


def set_(self):
    """Make a tensor empty."""
    storage = tensors.empty([0], torch.uint8, self.device.index).untyped_storage()
    return _set(self, storage, 0, [0], [1])


def local_scalar_dense(self):
    """Read one element to the host: the hidden synchronisation in every ``.item()``."""
    streams.wait_for_current()
    traffic.count("d2h", self.element_size())
    raw = memory.read(self.data_ptr(), self.element_size())
    number = torch.frombuffer(bytearray(raw), dtype=self.dtype).tolist()[0]
    number = number.conjugate() if self.is_conj() else number
    return -number if self.is_neg() else number


def record_stream(self, stream):
    """Note that a stream uses this tensor's memory."""
    streams.record(self, stream)


KERNELS = {
    "empty.memory_format": empty,
    "empty_strided": empty_strided,
    "_copy_from": copy_from,
    "_copy_from_and_resize": copy_from_and_resize,
    "resize_": resize_,
    "set_": set_,
    "_local_scalar_dense": local_scalar_dense,
    "record_stream": record_stream,
}
"""The minimal set: what has to exist before anything can be put on the device."""

_libraries = []


def register(library: torch.library.Library, answered: set[str]) -> None:
    """Register the minimal set for the device, and let copies see lazy conjugates and negatives.

    Parameters
    ----------
    library : torch.library.Library
    answered : set of str
        Operators that the shim has registered already.
    """
    for name, kernel in ({n: _as_cpu(n) for n in METADATA_KERNELS} | KERNELS).items():
        if name not in answered:
            library.impl(name, kernel, "PrivateUse1")
    for key in ("Conjugate", "Negative"):  # else their fallback clones, which copies, for ever
        lazy = torch.library.Library("aten", "IMPL")
        _libraries.append(lazy)
        for name in ("_copy_from", "_copy_from_and_resize"):
            lazy.impl(name, torch.library.fallthrough_kernel, key)
