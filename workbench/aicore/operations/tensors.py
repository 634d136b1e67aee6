"""Global and local tensors: names for bytes, with shape, dtype and layout, but without the data.

A kernel only *records* what should happen to which bytes; the data lie in the memory that a
reading of the recording brings along (`readings.values`). Hence a tensor has no values to print or
to branch on inside a kernel, and says so when it is asked. Slicing gives tensors that name a part
of the same bytes.
"""

from __future__ import annotations

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.machine import BUFFER_OF
from workbench.aicore.operations.layouts import block_strides, padded
from workbench.aicore.operations.regions import (
    BLOCK_BYTES,
    Region,
    Tensor,
    as_dtype,
    bad_index,
    round_up,
    span,
)


class GlobalTensor(Tensor):
    """A part of an array in global memory.

    Attributes
    ----------
    array : int
        Which argument of the kernel.
    name : str
        The argument's name.
    strides : tuple of int
        In bytes.
    info : ArrayInfo or None
        The argument of the launch that it belongs to.
    """

    __slots__ = ("array", "info", "name", "strides")

    def __init__(self, array, name, dtype, shape, strides=None, offset=0, info=None):
        self.info = info
        self.array, self.name, self.dtype = array, name, dtype
        self.shape, self.offset = tuple(shape), offset
        if strides is None:
            strides, step = [], dtype.itemsize
            for length in reversed(self.shape):
                strides.insert(0, step)
                step *= max(length, 1)
        self.strides = tuple(strides)

    def __repr__(self):
        return f"GlobalTensor {self.name}{list(self.shape)} of {self.dtype}"

    def __getitem__(self, key) -> GlobalTensor:
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > self.ndim:
            raise bad_index(self, key, f"it has {self.ndim} dimensions")
        offset, shape, strides = self.offset, [], []
        for axis, length in enumerate(self.shape):
            one = keys[axis] if axis < len(keys) else slice(None)
            start, count, drop = span(self, one, length)
            offset += start * self.strides[axis]
            if not drop:
                shape.append(count)
                strides.append(self.strides[axis])
        return self._part(shape, strides, offset)

    def reshape(self, *shape: int) -> GlobalTensor:
        """Return the whole array under another shape of the same size."""
        new = self._part(shape, None, self.offset)
        dense = self._part(self.shape, None, self.offset)
        if new.size != self.size or dense.strides != self.strides:
            raise bad_index(self, shape, "only a whole contiguous tensor can be reshaped")
        return new

    def transposed(self) -> GlobalTensor:
        """Return the two-dimensional tensor with rows and columns exchanged."""
        return self._part(self.shape[::-1], self.strides[::-1], self.offset)

    def _part(self, shape, strides, offset) -> GlobalTensor:
        return GlobalTensor(self.array, self.name, self.dtype, shape, strides, offset, self.info)

    def region(self) -> Region:
        """Return the bytes that it names."""
        item = self.dtype.itemsize
        if self.shape and self.strides[-1] == item:
            return Region(
                ("GM", self.array),
                self.offset,
                self.shape[:-1],
                self.strides[:-1],
                self.shape[-1] * item,
            )
        return Region(("GM", self.array), self.offset, self.shape, self.strides, item)

    def view(self, memory: dict) -> np.ndarray:
        """Return the elements as an array over `memory`'s bytes."""
        flat = memory["GM", self.array]
        return np.ndarray(self.shape, self.dtype, flat, self.offset, self.strides)


class LocalTensor(Tensor):
    """A part of a buffer of one core.

    Attributes
    ----------
    core : int
    buffer : str
        ``"UB"``, ``"L1"``, ``"L0A"``, ``"L0B"`` or ``"L0C"``.
    memory : str
        The same, but ``"UB1"`` for the UB of a block's second Vector core.
    layout : str
        ``"ND"``, or a fractal layout, see `workbench.aicore.operations.layouts`.
    row_bytes : int
        Distance of rows of a two-dimensional ND tensor; a multiple of 32.
    whole : tuple of int
        Padded shape of the fractal matrix that this is a part of.
    slot : object or None
        The queue's slot that owns the bytes; `generation` tells whether it still does.
    by : Owner or None
        The scalar unit that gave it out, and that alone may use it.
    """

    __slots__ = (
        "buffer", "by", "core", "generation", "layout", "memory", "row_bytes", "slot", "whole",
    )  # fmt: skip

    def __init__(
        self, core, memory, offset, shape, dtype, layout="ND", *, row_bytes=0, whole=(), slot=None,
        by=None,
    ):  # fmt: skip
        self.core, self.memory, self.offset, self.by = core, memory, offset, by
        self.buffer = BUFFER_OF[memory]
        self.shape, self.dtype, self.layout = tuple(shape), dtype, layout
        self.row_bytes, self.slot = row_bytes, slot
        self.generation = slot.generation if slot is not None else 0
        self.whole = whole
        if layout == "ND":
            if not row_bytes and len(self.shape) == 2:
                self.row_bytes = round_up(self.shape[1] * dtype.itemsize, BLOCK_BYTES)
        elif not whole:
            rows, columns = self.shape
            self.whole = padded((rows, columns), layout, dtype.itemsize)

    def __repr__(self):
        lay = "" if self.layout == "ND" else f" in {self.layout}"
        return f"LocalTensor {self.memory}{list(self.shape)} of {self.dtype}{lay}"

    def __getitem__(self, key) -> LocalTensor:
        keys = key if isinstance(key, tuple) else (key,)
        axes = len(self.shape)
        if len(keys) > axes:
            raise bad_index(self, key, f"it has {axes} dimensions")
        keys = keys + (slice(None),) * (axes - len(keys))
        if self.layout != "ND":
            return self._fractal_part(
                [span(self, one, length)[:2] for one, length in zip(keys, self.shape, strict=True)]
            )
        spans, kept = [], []
        for one, length in zip(keys, self.shape, strict=True):
            start, count, drop = span(self, one, length)
            spans.append((start, count))
            if not drop or len(kept) + self.ndim - len(spans) == 0:
                kept.append(count)
        item = self.dtype.itemsize
        steps = (item,) if self.ndim == 1 else (self.row_bytes, item)
        offset = self.offset + sum(
            start * step for (start, _), step in zip(spans, steps, strict=True)
        )
        if len(kept) == 1 and self.ndim == 2 and spans[1][1] != kept[0]:
            raise bad_index(self, key, "a column is taken as [:, i : i + 1]")
        return self._part(offset, kept)

    def _part(self, offset, shape, dtype=None, row_bytes=None) -> LocalTensor:
        part = LocalTensor.__new__(LocalTensor)
        part.core, part.buffer, part.offset = self.core, self.buffer, offset
        part.memory, part.by = self.memory, self.by
        part.shape, part.dtype, part.layout = tuple(shape), dtype or self.dtype, self.layout
        part.row_bytes = self.row_bytes if row_bytes is None else row_bytes
        part.whole, part.slot, part.generation = self.whole, self.slot, self.generation
        return part

    def _fractal_part(self, spans) -> LocalTensor:
        strides, block = block_strides(self.whole, self.layout, self.dtype.itemsize)
        (row, rows), (column, columns) = spans
        if row % block.rows or column % block.columns:
            raise AICoreError(
                "misaligned",
                f"A part of a matrix in {self.layout} begins at a whole block of "
                f"{block.rows} x {block.columns}.",
                f"{self!r} from row {row}, column {column}",
                "cut at multiples of the block",
            )
        offset = self.offset + row // block.rows * strides[0] + column // block.columns * strides[2]
        return self._part(offset, (rows, columns))

    def reinterpret(self, dtype) -> LocalTensor:
        """Return the same bytes as a vector of another dtype."""
        dtype = as_dtype(dtype)
        if self.ndim != 1 or self.layout != "ND" or self.nbytes % dtype.itemsize:
            raise bad_index(self, dtype, "only a vector of whole elements can be reinterpreted")
        return self._part(self.offset, (self.nbytes // dtype.itemsize,), dtype)

    @property
    def filled_bytes(self) -> int:
        """Bytes that it names, whole blocks where it is fractal."""
        if self.layout == "ND":
            return self.nbytes
        rows, columns = padded(self.shape, self.layout, self.dtype.itemsize)  # pyright: ignore[reportArgumentType]
        return rows * columns * self.dtype.itemsize

    def region(self) -> Region:
        """Return the bytes that it names, whole blocks where it is fractal."""
        space = (self.core, self.memory)
        if self.layout != "ND":
            strides, block = block_strides(self.whole, self.layout, self.dtype.itemsize)
            counts = (-(-self.shape[0] // block.rows), -(-self.shape[1] // block.columns))
            width = block.rows * block.columns * self.dtype.itemsize
            return Region(space, self.offset, counts, (strides[0], strides[2]), width)
        width = self.shape[-1] * self.dtype.itemsize
        if self.ndim == 1:
            return Region(space, self.offset, (), (), width)
        return Region(space, self.offset, self.shape[:1], (self.row_bytes,), width)

    def view(self, memory: dict) -> np.ndarray:
        """Return an ND tensor's elements as an array over `memory`'s bytes."""
        item = self.dtype.itemsize
        strides = (item,) if self.ndim == 1 else (self.row_bytes, item)
        flat = memory[self.core, self.memory]
        return np.ndarray(self.shape, self.dtype, flat, self.offset, strides)

    def load(self, memory: dict) -> np.ndarray:
        """Return the elements as a plain array, out of whatever layout."""
        if self.layout == "ND":
            return self.view(memory)
        blocks = self._blocks(memory)
        n = blocks.shape
        flat = blocks.reshape(n[0] * n[1], n[2] * n[3])
        return flat[: self.shape[0], : self.shape[1]]

    def store(self, memory: dict, values: np.ndarray) -> None:
        """Write the elements, rounded to the dtype, into whatever layout; edges become zero."""
        if self.layout == "ND":
            self.view(memory)[...] = values
            return
        blocks = self._blocks(memory)
        n = blocks.shape
        full = np.zeros((n[0] * n[1], n[2] * n[3]), self.dtype)
        full[: self.shape[0], : self.shape[1]] = values
        blocks[...] = full.reshape(n)

    def _blocks(self, memory: dict) -> np.ndarray:
        strides, block = block_strides(self.whole, self.layout, self.dtype.itemsize)
        counts = (-(-self.shape[0] // block.rows), -(-self.shape[1] // block.columns))
        shape = (counts[0], block.rows, counts[1], block.columns)
        return np.ndarray(shape, self.dtype, memory[self.core, self.memory], self.offset, strides)
