"""An array in device memory, with the methods of Numba's.

Host and device memory are one here; what is kept apart is who may do what: a device array is
copied, viewed and handed to kernels, and refuses what a device cannot do in one copy.
"""

# NumPy's stubs want literal orders where Numba's interface takes any string.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.simt.types import as_dtype

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

    def fill(self, value: Any) -> None:
        """Set every element, as a driver's memset does."""
        self._data[...] = value
        self.fresh = False

    def copy_to_host(self, ary: np.ndarray | None = None, stream: Any = 0) -> np.ndarray:
        """Copy to a new host array, or into `ary` of the same shape and dtype."""
        if ary is None:
            return self._data.copy(order="F" if only_fortran(self._data) else "C")
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
            order = "F" if only_fortran(self._data) else "C"
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


def only_fortran(data: np.ndarray) -> bool:
    """Return whether memory is in column-major order and in no other."""
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
