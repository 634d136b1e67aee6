"""Bytes, shapes and dtypes: what global and local tensors share.

A `Region` says exactly which bytes an instruction touches, strides included, so that two cores
writing interleaved columns are not taken to collide.
"""

from __future__ import annotations

import reprlib
from typing import Any, NamedTuple

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.operations.layouts import padded
from workbench.errors import InputError

BLOCK_BYTES = 32
SUPPORTED_DTYPES = ("float16", "bfloat16", "float32", "int8", "uint8", "int16", "int32", "uint32")


class Region(NamedTuple):
    """Bytes that an instruction touches: runs of `width` bytes on a grid.

    ``space`` is ``("GM", index of the array)`` or ``(core, buffer)``.
    """

    space: tuple[Any, Any]
    offset: int
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    width: int

    @property
    def nbytes(self) -> int:
        """Bytes touched."""
        total = self.width
        for count in self.counts:
            total *= count
        return total

    @property
    def end(self) -> int:
        """One past the last byte touched."""
        last = sum((n - 1) * step for n, step in zip(self.counts, self.strides, strict=True))
        return self.offset + last + self.width


class NoValuesError(AICoreError):
    """A kernel asked a tensor for its values while it was being recorded."""


class Tensor:
    """What global and local tensors share: shape, dtype and no values."""

    __slots__ = ("dtype", "offset", "shape")

    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        total = 1
        for length in self.shape:
            total *= length
        return total

    @property
    def nbytes(self) -> int:
        """Bytes of the elements, without padding."""
        return self.size * self.dtype.itemsize

    def _no_values(self, *_: Any, **__: Any) -> Any:
        raise NoValuesError(
            "values",
            "A kernel cannot look at the values of a tensor, nor branch on them: it is being "
            "recorded, and nothing is computed yet.",
            f"{self!r} was used like an array or a number",
            "compute with the operations of workbench.aicore: compare and select choose by "
            "data, and `dump` shows values of a run",
        )

    __array__ = __float__ = __int__ = __bool__ = __index__ = __iter__ = _no_values
    __add__ = __sub__ = __mul__ = __truediv__ = __radd__ = __rmul__ = __matmul__ = _no_values
    __lt__ = __gt__ = __le__ = __ge__ = __eq__ = __ne__ = __contains__ = _no_values
    __setitem__ = __len__ = __abs__ = __neg__ = __pow__ = __mod__ = __floordiv__ = _no_values
    __hash__ = object.__hash__


def as_dtype(value: Any) -> np.dtype:
    """Return a NumPy dtype that an AI Core knows.

    Raises
    ------
    InputError
        For any other, naming those that it has.
    """
    try:
        if str(value) == "bfloat16":
            import ml_dtypes

            return np.dtype(ml_dtypes.bfloat16)
        dtype = np.dtype(value)
    except TypeError as error:
        raise InputError("This is not a data type.", reprlib.repr(value)) from error
    if dtype.name not in SUPPORTED_DTYPES:
        raise AICoreError(
            "dtype",
            "An AI Core has no such data type.",
            dtype.name,
            "one of " + ", ".join(SUPPORTED_DTYPES),
        )
    return dtype.newbyteorder("=")


def footprint(shape: tuple[int, ...], dtype: np.dtype, layout: str = "ND") -> int:
    """Return the bytes that a local tensor takes: rows of 32 bytes, whole blocks."""
    if layout != "ND":
        rows, columns = padded((shape[0], shape[1]), layout, dtype.itemsize)
        return rows * columns * dtype.itemsize
    row = round_up(shape[-1] * dtype.itemsize, BLOCK_BYTES)
    return row if len(shape) == 1 else shape[0] * row


def round_up(value: int, step: int) -> int:
    """Return the least multiple of `step` that is at least `value`."""
    return -(-value // step) * step


def span(tensor: Tensor, key: Any, length: int) -> tuple[int, int, bool]:
    """Return start, count and whether the axis is dropped, or raise where out of range."""
    if isinstance(key, slice):
        if type(key.start) is int is type(key.stop) and key.step is None:
            start, stop = key.start, key.stop
            if 0 <= start < stop <= length:
                return start, stop - start, False
        if key.step not in (None, 1):
            raise bad_index(tensor, key, "a step other than 1 is not supported")
        start = 0 if key.start is None else key.start
        stop = length if key.stop is None else key.stop
        if not (isinstance(start, (int, np.integer)) and isinstance(stop, (int, np.integer))):
            raise bad_index(tensor, key, "bounds are whole numbers")
        if not 0 <= start < stop <= length:
            raise out_of_range(tensor, f"[{start}:{stop}]", length)
        return int(start), int(stop - start), False
    if not isinstance(key, (int, np.integer)) or isinstance(key, bool):
        raise bad_index(tensor, key, "index with whole numbers and slices")
    if not 0 <= key < length:
        raise out_of_range(tensor, f"[{key}]", length)
    return int(key), 1, True


def out_of_range(tensor: Tensor, what: str, length: int) -> AICoreError:
    """Return the error for reading or writing beyond an axis."""
    return AICoreError(
        "out_of_range",
        "A tensor is read or written out of its range.",
        f"{tensor!r}, {what} of an axis of length {length}",
        "clip the last tile: min(start + tile, length); an empty part is out of range too",
    )


def bad_index(tensor: Tensor, key: Any, why: str) -> AICoreError:
    """Return the error for a part that cannot be named like this."""
    return AICoreError(
        "index", "This part of a tensor cannot be taken.", f"{tensor!r}[{reprlib.repr(key)}]", why
    )
