"""Device memory, streams and events, as Numba's host interface has them.

A device array owns memory that kernels see; it is NumPy underneath, but does not behave like a host
array where a real one would not (no arithmetic). Streams run in order and at once: that is a legal
schedule of every stream program, and events carry the real times of it.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import operator
import time
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.simt.host_memory import check_memory
from workbench.simt.types import as_dtype, poisoned_array

NOT_CONTIGUOUS = (
    "Array contains non-contiguous buffer and cannot be transferred as a single memory region. "
    "Please ensure contiguous buffer with numpy .ascontiguousarray()"
)
"""Numba's words for a copy that a device cannot do at one go."""


class DeviceArray:
    """An array in device memory.

    Parameters
    ----------
    data : numpy.ndarray
        The memory, shared and not copied.
    fresh : bool
        Whether nobody has written to it yet: the sanitizer reports who reads it.

    Attributes
    ----------
    shape, strides, dtype, ndim, size, nbytes
        As NumPy's.
    """

    __cuda_memory__ = True
    __cuda_ndarray__ = True
    __array_priority__ = 100

    def __init__(self, data: np.ndarray, stream: Any = 0, fresh: bool = False):
        self._data, self.stream, self.fresh = data, stream, fresh

    shape = property(lambda self: self._data.shape)
    strides = property(lambda self: self._data.strides)
    dtype = property(lambda self: self._data.dtype)
    ndim = property(lambda self: self._data.ndim)
    size = property(lambda self: self._data.size)
    nbytes = property(lambda self: self._data.nbytes)
    itemsize = property(lambda self: self._data.itemsize)
    flags = property(lambda self: self._data.flags)
    alloc_size = property(lambda self: self._data.nbytes)
    T = property(lambda self: DeviceArray(self._data.T, self.stream))

    @property
    def __cuda_array_interface__(self) -> dict:
        data = self._data
        pointer = data.__array_interface__["data"][0] if data.size else 0
        return {
            "shape": data.shape,
            "strides": None if data.flags.c_contiguous else data.strides,
            "data": (pointer, False),
            "typestr": data.dtype.str,
            "stream": int(self.stream) if int(self.stream or 0) else None,
            "version": 3,
        }

    def is_c_contiguous(self) -> bool:
        """Return whether the memory is in row-major order."""
        return bool(self._data.flags.c_contiguous)

    def is_f_contiguous(self) -> bool:
        """Return whether the memory is in column-major order."""
        return bool(self._data.flags.f_contiguous)

    def copy_to_host(self, ary: np.ndarray | None = None, stream: Any = 0) -> np.ndarray:
        """Copy to a new host array, or into `ary` of the same shape and dtype."""
        if ary is None:
            return self._data.copy(order="F" if _only_fortran(self._data) else "C")
        _match(self._data, ary, "copy_to_host")
        ary[...] = self._data
        return ary

    def copy_to_device(self, ary: Any, stream: Any = 0) -> None:
        """Copy a host or device array into this one."""
        _one_region(self._data)
        source = ary._data if isinstance(ary, DeviceArray) else np.asarray(ary)
        if isinstance(ary, DeviceArray):
            _one_region(source)
        _match(self._data, source, "copy_to_device")
        strides = self._data.squeeze().strides, source.squeeze().strides
        if isinstance(ary, DeviceArray) and source.size and strides[0] != strides[1]:
            raise ValueError(f"incompatible strides: {self.strides} vs. {ary.strides}")
        self._data[...] = source
        self.fresh = False

    def reshape(self, *shape: Any, order: str = "C") -> DeviceArray:
        """Return a view of another shape; refuses where only a copy could have it."""
        shape = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
        view = self._data.reshape(shape, order=order)
        if not np.may_share_memory(view, self._data) and view.size:
            raise NotImplementedError("operation requires copying")
        return DeviceArray(view, self.stream)

    def ravel(self, order: str = "C", stream: Any = 0) -> DeviceArray:
        """Return a flat view of contiguous memory."""
        flags = self._data.flags
        if order in "AK":
            order = "F" if _only_fortran(self._data) else "C"
        if not (flags.c_contiguous if order == "C" else flags.f_contiguous):
            raise NotImplementedError("operation requires copying")
        return DeviceArray(self._data.ravel(order=order), stream)

    def squeeze(self, axis: Any = None, stream: Any = 0) -> DeviceArray:
        """Return a view without the axes of length one."""
        return DeviceArray(self._data.squeeze(axis), stream)

    def transpose(self, axes: Any = None) -> DeviceArray:
        """Return a view with the axes in another order."""
        return DeviceArray(self._data.transpose(axes), self.stream)

    def view(self, dtype: Any) -> DeviceArray:
        """Return the same bytes as another dtype."""
        return DeviceArray(self._data.view(as_dtype(dtype)), self.stream)

    def split(self, section: int, stream: Any = 0):
        """Yield one-dimensional pieces of `section` elements."""
        for start in range(0, self.size, section):
            yield DeviceArray(self._data[start : start + section], stream)

    def bind(self, stream: Any = 0) -> DeviceArray:
        """Return this array for use on a stream."""
        return DeviceArray(self._data, stream)

    def getitem(self, item: Any, stream: Any = 0) -> Any:
        """Return an element, or a view for a slice."""
        return self[item]

    def setitem(self, key: Any, value: Any, stream: Any = 0) -> None:
        """Assign an element or a slice."""
        self[key] = value

    def __getitem__(self, item: Any) -> Any:
        found = self._data[item]
        return DeviceArray(found, self.stream) if isinstance(found, np.ndarray) else found

    def __setitem__(self, key: Any, value: Any) -> None:
        self._data[key] = value._data if isinstance(value, DeviceArray) else value
        self.fresh = False

    def __len__(self) -> int:
        return len(self._data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        host = self.copy_to_host()
        return host if dtype is None else host.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"DeviceArray(shape={self.shape}, dtype={self.dtype})"


def _only_fortran(data: np.ndarray) -> bool:
    return data.flags.f_contiguous and not data.flags.c_contiguous


def _match(device: np.ndarray, host: np.ndarray, what: str) -> None:
    if device.shape != host.shape:
        raise ValueError(f"incompatible shape: {device.shape} vs. {host.shape} ({what})")
    if device.dtype != host.dtype:
        raise TypeError(f"incompatible dtype: {device.dtype} vs. {host.dtype} ({what})")


def _one_region(data: np.ndarray) -> None:
    """Refuse what one copy cannot move: memory with gaps, repeated axes apart."""
    core = data[tuple(0 if stride == 0 else slice(None) for stride in data.strides)]
    if data.size and not (core.flags.c_contiguous or core.flags.f_contiguous):
        raise ValueError(NOT_CONTIGUOUS)


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
    """Only read by the kernel."""


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
    data = host.copy(order="F" if _only_fortran(host) else "C")
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


class Stream:
    """Work in order. Everything put on it is done by the time the call returns."""

    _numbers = iter(range(1, 1 << 62))

    def __init__(self, number: int | None = None):
        self.handle = next(self._numbers) if number is None else number

    def __int__(self) -> int:
        return self.handle

    def __bool__(self) -> bool:
        return True

    def synchronize(self) -> None:
        """Return at once: nothing is pending."""

    def add_callback(self, callback: Any, arg: Any = None) -> None:
        """Call ``callback(stream, 0, arg)`` once the work before it is done: now."""
        callback(self, 0, arg)

    async def async_done(self) -> Stream:
        """Return this stream once the work before it is done."""
        return self

    def auto_synchronize(self):
        """Return a context that synchronises at its end."""
        import contextlib

        return contextlib.nullcontext(self)

    def __repr__(self) -> str:
        return f"<CUDA stream {self.handle} on the CPU engine>"


class Event:
    """A point in a stream, with the real time at which it was reached."""

    def __init__(self, timing: bool = True):
        self._time_ns: int | None = None
        self.timing = timing

    def record(self, stream: Any = 0) -> None:
        """Take the time: the work before it is done."""
        self._time_ns = time.perf_counter_ns()

    def synchronize(self) -> None:
        """Return at once: recorded work is done."""

    def wait(self, stream: Any = 0) -> None:
        """Return at once: recorded work is done."""

    def query(self) -> bool:
        """Return whether the work before it is done: always."""
        return True

    def elapsed_time(self, end: Event) -> float:
        """Return the milliseconds from this event to `end`."""
        return event_elapsed_time(self, end)


def event_elapsed_time(start: Event, end: Event) -> float:
    """Return the milliseconds between two recorded events.

    Raises
    ------
    InputError
        Where one of them was never recorded.
    """
    if start._time_ns is None or end._time_ns is None:
        raise InputError(
            "An event was never recorded.", "no time to subtract", "call event.record() first"
        )
    return (end._time_ns - start._time_ns) / 1e6
