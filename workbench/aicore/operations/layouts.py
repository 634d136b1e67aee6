"""Fractal layouts: how a matrix lies in L1 and L0, in blocks of 512 bytes.

A layout has two letters, the inner order first: ``z`` means row by row and ``n`` column by
column inside a block; ``Z`` and ``N`` say the same of the blocks. ``ND`` is the plain row-major
matrix. ``NZ``, the layout of L1, is the Ascend name of ``zN`` with blocks of 16 rows x 32 bytes,
while L0C's ``zN`` has blocks of 16 x 16 elements whatever their size. Blocks at the edge are
padded with zeros. Source: the data format pages of the Ascend C documentation and the fractal
shapes in AscendNPU-IR (Apache-2.0).

It refuses to hold data: `block_strides` describes memory that somebody else owns.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from workbench.errors import InputError

BLOCK_BYTES = 32
LAYOUTS = ("ND", "NZ", "zZ", "nZ", "zN")
_ORDER = {"NZ": ("z", "N"), "zN": ("z", "N"), "zZ": ("z", "Z"), "nZ": ("n", "Z")}


class Fractal(NamedTuple):
    """Rows and columns of one block."""

    rows: int
    columns: int


@cache
def fractal(layout: str, itemsize: int) -> Fractal:
    """Return the block shape of a layout for elements of `itemsize` bytes (1, 2 or 4)."""
    if layout not in LAYOUTS[1:] or itemsize not in (1, 2, 4):
        raise InputError(
            "There is no such fractal layout.",
            f"{layout!r} with elements of {itemsize} bytes",
            f"one of {', '.join(LAYOUTS[1:])} with 1, 2 or 4 bytes",
        )
    along = BLOCK_BYTES // itemsize
    return {"nZ": Fractal(along, 16), "zN": Fractal(16, 16)}.get(layout, Fractal(16, along))


@cache
def padded(shape: tuple[int, int], layout: str, itemsize: int) -> tuple[int, int]:
    """Return the matrix's shape rounded up to whole blocks."""
    block = fractal(layout, itemsize)
    return (
        -(-shape[0] // block.rows) * block.rows,
        -(-shape[1] // block.columns) * block.columns,
    )


@cache
def block_strides(
    shape: tuple[int, int], layout: str, itemsize: int
) -> tuple[tuple[int, int, int, int], Fractal]:
    """Return the byte strides of a padded matrix seen as (block row, row, block column, column).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns, already padded to whole blocks.
    """
    block = fractal(layout, itemsize)
    rows, columns = shape[0] // block.rows, shape[1] // block.columns
    size = block.rows * block.columns * itemsize
    inner_order, outer_order = _ORDER[layout]
    outer = (columns * size, size) if outer_order == "Z" else (size, rows * size)
    inner = (itemsize, block.rows * itemsize)
    if inner_order == "z":
        inner = (block.columns * itemsize, itemsize)
    return (outer[0], inner[0], outer[1], inner[1]), block


def pack(matrix: np.ndarray, layout: str) -> np.ndarray:
    """Return a matrix as it lies in memory: one dimension, blocks padded with zeros.

    Raises
    ------
    InputError
        Where it is not a matrix, or its element size has no such layout.
    """
    if matrix.ndim != 2:
        raise InputError("A layout needs a matrix.", f"{matrix.ndim} dimensions", "reshape it")
    if layout == "ND":
        return matrix.reshape(-1).copy()
    shape = padded(matrix.shape, layout, matrix.itemsize)
    full = np.zeros(shape, matrix.dtype)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    flat = np.empty(full.size, matrix.dtype)
    blocks(flat, shape, layout)[...] = _split(full, fractal(layout, matrix.itemsize))
    return flat


def unpack(flat: np.ndarray, shape: tuple[int, int], layout: str) -> np.ndarray:
    """Return the matrix that `pack` laid out: the inverse, without the padding."""
    if layout == "ND":
        return flat.reshape(shape).copy()
    full = padded(shape, layout, flat.itemsize)
    if flat.size != full[0] * full[1]:
        raise InputError(
            "The memory does not hold a matrix of this shape and layout.",
            f"{flat.size} elements for {shape} in {layout}, which takes {full[0] * full[1]}",
        )
    return blocks(flat, full, layout).reshape(full)[: shape[0], : shape[1]].copy()


def blocks(flat: np.ndarray, shape: tuple[int, int], layout: str) -> np.ndarray:
    """Return a view of packed memory with axes (block row, row, block column, column)."""
    strides, block = block_strides(shape, layout, flat.itemsize)
    counts = (shape[0] // block.rows, block.rows, shape[1] // block.columns, block.columns)
    return np.ndarray(counts, flat.dtype, flat, 0, strides)


def _split(full: np.ndarray, block: Fractal) -> np.ndarray:
    rows, columns = full.shape
    return full.reshape(rows // block.rows, block.rows, columns // block.columns, block.columns)
