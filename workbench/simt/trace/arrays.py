"""Arrays as a traced kernel sees them: every element has a name, an index and an address.

A `TracedArray` is a window on memory of a known space ("global", "shared", "local" or
"constant"). Views and slices of it keep its name and its memory, so that two windows on the same
element, also two arguments that alias, meet at one address. It refuses to do arithmetic: kernels
work on elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.simt.types import POISON_BYTE


@dataclass(eq=False)
class Memory:
    """One allocation.

    Attributes
    ----------
    name : str
        As the kernel calls it.
    space : str
        ``global``, ``shared``, ``local`` or ``constant``.
    start : int
        Address of its first byte.
    initialised : bool
        Whether every byte had a value when the launch began.
    owner : int
        Linear index of the block (shared) or thread (local) it belongs to; -1 for the others.
    buffer : numpy.ndarray
        Keeps the bytes alive.
    root : numpy.ndarray
        The whole array; bytes where views of several types share it.
    cells : dict of int to object
        Whatever the observer keeps about each address.
    """

    name: str
    space: str
    start: int
    initialised: bool
    owner: int
    buffer: np.ndarray
    root: np.ndarray
    cells: dict[int, Any] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Bytes of shared or local memory, without the ones that align it."""
        return self.buffer.nbytes - 16


class IndexOutOfBounds(Exception):
    """An index is outside its axis."""


class TracedArray:
    """A window on a `Memory`.

    Parameters
    ----------
    data : numpy.ndarray
        The elements; a view, so that stores reach the owner.
    memory : Memory
    prefix : tuple
        Indices already taken from the left, for names such as ``tile[3, 5]`` of a row view; it ends
        in ``"..."`` where the elements have other numbers than in the whole array.
    field : str
        The field of the whole array's records that this is.
    """

    __slots__ = (
        "address",
        "data",
        "dtype",
        "field",
        "memory",
        "ndim",
        "plain",
        "prefix",
        "shape",
        "strides",
    )

    def __init__(
        self, data: np.ndarray, memory: Memory, prefix: tuple[Any, ...] = (), field: str = ""
    ):
        self.data, self.memory, self.prefix, self.field = data, memory, prefix, field
        self.shape, self.strides, self.ndim = data.shape, data.strides, data.ndim
        self.dtype, self.address = data.dtype, data.__array_interface__["data"][0]
        self.plain = data.dtype.names is None

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return self.data.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.data.nbytes

    @property
    def T(self) -> TracedArray:
        """The transposed window."""
        return self._renumbered(self.data.T)

    def __len__(self) -> int:
        return self.shape[0]

    def locate(self, index: Any) -> tuple[tuple[int, ...], int, bool]:
        """Return the position, its address, and whether an index wrapped round from below zero.

        Raises
        ------
        IndexOutOfBounds
            Where an index is outside its axis even after wrapping.
        """
        position = index if type(index) is tuple else (index,)
        address, wrapped = self.address, False
        found = []
        for one, extent, stride in zip(position, self.shape, self.strides, strict=True):
            one = int(one)
            if one < 0:
                one += extent
                wrapped = True
            if not 0 <= one < extent:
                raise IndexOutOfBounds
            found.append(one)
            address += one * stride
        return tuple(found), address, wrapped

    def is_element(self, index: Any) -> bool:
        """Return whether an index names one element, as opposed to a row or a slice."""
        if type(index) is tuple:
            return len(index) == self.ndim and not any(
                isinstance(part, slice) or part is None or part is Ellipsis for part in index
            )
        return self.ndim == 1 and not isinstance(index, slice)

    def window(self, index: Any) -> TracedArray:
        """Return the view that a row index or a slice selects."""
        parts = index if type(index) is tuple else (index,)
        whole = all(not isinstance(part, slice) for part in parts)
        prefix = (*self.prefix, *parts) if whole else (*self.prefix, "...")
        try:
            return TracedArray(self.data[index], self.memory, prefix, self.field)
        except IndexError:
            raise IndexOutOfBounds from None

    def column(self, name: str) -> TracedArray:
        """Return one field of a structured array."""
        return TracedArray(self.data[name], self.memory, self.prefix, name)

    def _renumbered(self, data: np.ndarray) -> TracedArray:
        return TracedArray(data, self.memory, (*self.prefix, "..."), self.field)

    def reshape(self, *shape: Any) -> TracedArray:
        """Return a view of another shape."""
        return self._renumbered(self.data.reshape(*shape))

    def ravel(self) -> TracedArray:
        """Return the one-dimensional view."""
        return self._renumbered(self.data.reshape(-1))

    def view(self, dtype: Any) -> TracedArray:
        """Return the same bytes as another dtype."""
        return self._renumbered(self.data.view(dtype))


class TracedRecord:
    """One element of a structured array; its fields are traced accesses."""

    __slots__ = ("_array", "_position", "_site", "_thread")

    def __init__(self, thread: Any, array: TracedArray, position: tuple[int, ...], site: Any):
        for name, value in zip(self.__slots__, (array, position, site, thread), strict=True):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._array.dtype.names:
            raise AttributeError(name)
        return self._thread.load(self._array.column(name), self._position, self._site)

    def __setattr__(self, name: str, value: Any) -> None:
        self._thread.store(self._array.column(name), self._position, value, self._site)

    __getitem__ = __getattr__
    __setitem__ = __setattr__


def global_memory(name: str, data: np.ndarray, initialised: bool = True) -> TracedArray:
    """Return an argument of a launch as the kernel sees it."""
    start = data.__array_interface__["data"][0]
    return TracedArray(data, Memory(name, "global", start, initialised, -1, data, data))


def constant_memory(name: str, data: np.ndarray) -> TracedArray:
    """Return an array that kernels only read."""
    start = data.__array_interface__["data"][0]
    return TracedArray(data, Memory(name, "constant", start, True, -1, data, data))


def poisoned_memory(name: str, space: str, shape: Any, dtype: np.dtype, owner: int) -> TracedArray:
    """Return new shared or local memory, filled with `POISON_BYTE`."""
    extent = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if any(not isinstance(one, (int, np.integer)) or one < 0 for one in extent):
        raise InputError(
            f"The {space} array {name} has no usable shape.", repr(shape), "use constant integers"
        )
    count = int(np.prod(extent, dtype=np.int64))
    buffer = np.full(count * dtype.itemsize + 16, POISON_BYTE, np.uint8)
    shift = -buffer.__array_interface__["data"][0] % 16
    data = buffer[shift : shift + count * dtype.itemsize].view(dtype).reshape(extent)
    start = data.__array_interface__["data"][0]
    return TracedArray(data, Memory(name, space, start, False, owner, buffer, data))
