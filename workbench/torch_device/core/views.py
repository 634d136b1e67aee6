"""The operators a device cannot live without: allocation, views, resizing, one scalar.

Views compute no element, so PyTorch's own metadata kernels serve: each is redispatched as if the
tensor were on the CPU, and the result shares the device storage. Everything here, and the copies of
`copies`, is registered by `register`, from two tables.

It refuses to compute: an operator with arithmetic in it belongs to a family in `ops`.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch

from workbench.torch_device import traffic
from workbench.torch_device.core import copies, devices, memory, streams, tensors
from workbench.torch_device.core.tensors import contiguous_strides

_aten = torch.ops.aten
_CPU = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)

METADATA_KERNELS = (
    "as_strided",
    "view",
    "view.dtype",
    "_reshape_alias",
    "unfold",
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


def empty_strided(size, stride, *, dtype=None, layout=None, device=None, pin_memory=None):
    """Allocate a tensor with the given sizes and strides."""
    if layout is not None and layout is not torch.strided:
        raise NotImplementedError(f"wb has no {layout} tensors; call .to_dense() on the CPU first")
    if pin_memory:
        raise RuntimeError("Only dense CPU tensors can be pinned")
    return tensors.empty_strided(
        size,
        stride,
        dtype or torch.get_default_dtype(),
        devices.check_index(devices.index_of(device)),
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
        streams.wait_for_current(device)
        ctypes.memmove(fresh.data_ptr() + memory.DELTA, storage.data_ptr() + memory.DELTA, kept)
    return fresh


def set_(self):
    """Make a tensor empty."""
    storage = tensors.empty([0], torch.uint8, self.device.index).untyped_storage()
    return _set(self, storage, 0, [0], [1])


def local_scalar_dense(self):
    """Read one element to the host: the hidden synchronisation in every ``.item()``."""
    streams.wait_for_current(self.device.index)
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
    "_copy_from": copies.copy_from,
    "_copy_from_and_resize": copies.copy_from_and_resize,
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
