"""Device memory, streams and events, as Numba's host interface has them.

A device array owns memory that kernels see; it is NumPy underneath, but does not behave like a host
array where a real one would not (no arithmetic). Streams run in order and at once: that is a legal
schedule of every stream program, and events carry the real times of it.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.simt.host.device_array import DeviceArray, only_fortran
from workbench.simt.host.host_memory import check_memory
from workbench.simt.types import as_dtype, poisoned_array


def _shape(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of whole numbers."""
    parts = shape if isinstance(shape, (tuple, list, np.ndarray)) else (shape,)
    if isinstance(parts, np.ndarray) and parts.ndim == 0:
        parts = (parts[()],)
    return tuple(operator.index(part) for part in parts)


def host_view(value: Any) -> Any:
    """Return what a kernel works on: the NumPy memory behind an array, a scalar as it is."""
    if isinstance(value, DeviceArray):
        value.fresh = False  # from now on the kernel's business
        return value._data
    if isinstance(value, MappedArray):
        return value.view(np.ndarray)
    if isinstance(value, In) and isinstance(value.value, np.ndarray):
        return value.value.copy()
    if isinstance(value, Transfer):
        return host_view(value.value)
    interface = getattr(value, "__cuda_array_interface__", None)
    if interface is not None and not isinstance(value, np.ndarray):
        return as_cuda_array(value)._data
    return value


class MappedArray(np.ndarray):
    """Memory that host and device share: a NumPy array that can be copied like a device's."""

    __cuda_memory__ = True
    __cuda_ndarray__ = True

    @property
    def __cuda_array_interface__(self) -> dict:
        return DeviceArray(self.view(np.ndarray)).__cuda_array_interface__

    def copy_to_host(self, ary: np.ndarray | None = None, stream: Any = 0) -> np.ndarray:
        """Copy to a new host array, or into `ary` of the same shape and dtype."""
        return DeviceArray(self.view(np.ndarray)).copy_to_host(ary, stream)

    def copy_to_device(self, ary: Any, stream: Any = 0) -> None:
        """Copy a host or device array into this one."""
        DeviceArray(self.view(np.ndarray)).copy_to_device(ary, stream)


class Transfer:
    """A kernel argument with its copy direction stated; here all memory is one."""

    def __init__(self, value: Any):
        self.value = value


class In(Transfer):
    """Only read by the kernel: what it writes to a host array does not come back."""


class Out(Transfer):
    """Only written by the kernel."""


class InOut(Transfer):
    """Read and written by the kernel."""


def to_device(
    obj: Any, stream: Any = 0, copy: bool = True, to: DeviceArray | None = None
) -> DeviceArray:
    """Copy a host array to the device.

    Parameters
    ----------
    obj : array
        Host array or scalar.
    copy : bool
        False only allocates.
    to : DeviceArray, optional
        Copy into this one.
    """
    if isinstance(obj, DeviceArray) and to is None:
        return DeviceArray(obj._data.copy(), stream) if copy else obj
    host = np.asarray(obj)
    if to is not None:
        to.copy_to_device(host, stream)
        return to
    data = host.copy(order="F" if only_fortran(host) else "C")
    return DeviceArray(data, stream)


def device_array(
    shape: Any, dtype: Any = np.float64, strides: Any = None, order: str = "C", stream: Any = 0
) -> DeviceArray:
    """Return uninitialised device memory, filled with a pattern nobody computes by accident."""
    dtype, shape = as_dtype(dtype), _shape(shape)
    check_memory(int(np.prod(shape, dtype=object)) * dtype.itemsize, "The array")
    data = poisoned_array(shape, dtype)
    if order == "F":
        data = data.reshape(data.shape[::-1]).T
    if strides is not None and tuple(np.atleast_1d(strides)) != data.strides:
        raise InputError(
            "A device array with gaps between its elements cannot be allocated.",
            f"strides {strides}",
            "allocate it contiguous and take a view",
        )
    return DeviceArray(data, stream, fresh=True)


def device_array_like(ary: Any, stream: Any = 0) -> DeviceArray:
    """Return uninitialised device memory with the shape, dtype and order of `ary`."""
    strides, shape, itemsize = np.array(ary.strides), ary.shape, ary.dtype.itemsize
    like = np.lib.stride_tricks.as_strided(np.empty(1, ary.dtype), shape, strides, writeable=False)
    order = np.argsort(-strides, kind="stable") if np.all(strides >= 0) else np.arange(len(shape))
    if like.flags.c_contiguous or itemsize == 0 or 0 in shape:
        return DeviceArray(poisoned_array(shape, ary.dtype), stream, fresh=True)
    data = poisoned_array(tuple(shape[axis] for axis in order), ary.dtype)
    return DeviceArray(data.transpose(np.argsort(order)), stream)


def host_array(
    shape: Any, dtype: Any = np.float64, strides: Any = None, order: str = "C"
) -> np.ndarray:
    """Return host memory (what ``pinned_array`` and ``managed_array`` are on a CPU)."""
    return np.empty(shape, as_dtype(dtype), order=order)


def host_array_like(ary: Any) -> np.ndarray:
    """Return host memory with the shape, dtype and order of `ary`."""
    return np.empty_like(ary._data if isinstance(ary, DeviceArray) else ary)


def mapped_array(
    shape: Any, dtype: Any = np.float64, strides: Any = None, order: str = "C", **options: Any
) -> MappedArray:
    """Return memory that host and device share."""
    return host_array(shape, dtype, strides, order).view(MappedArray)


def as_cuda_array(obj: Any, sync: bool = True) -> DeviceArray:
    """Return a device array over the memory behind a ``__cuda_array_interface__``."""
    interface = obj.__cuda_array_interface__
    if interface.get("mask") is not None:
        raise NotImplementedError("Masked arrays are not supported")
    host = type("_Host", (), {})()
    host.__array_interface__ = {
        "shape": tuple(interface["shape"]),
        "typestr": interface["typestr"],
        "data": interface["data"],
        "strides": interface.get("strides"),
        "version": 3,
    }
    host.owner = obj
    return DeviceArray(np.asarray(host), interface.get("stream") or 0)


def is_cuda_array(obj: Any) -> bool:
    """Return whether an object offers its memory as a device array."""
    return hasattr(obj, "__cuda_array_interface__")
