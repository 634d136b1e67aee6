"""What an element is called: as the kernel writes it, and by its place in the whole array.

A row view keeps the array's name (``row[t]`` of ``row = out[3]`` is ``out[3, t]``). Where a slice,
a reshape or another dtype makes new numbers, findings quote the name and the index of the line that
the learner reads, and their field `index` holds the element of the whole array where there is one.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.simt.trace.arrays import TracedArray


@dataclass(frozen=True)
class Place:
    """One element, for sentences and for fields.

    Attributes
    ----------
    name : str
        As a sentence calls it: ``"out[3, 4]"``.
    array, space : str
    index : tuple
        Of the whole array where there is one number for it.
    is_view : bool
        Whether the name is that of a view with numbers of its own.
    """

    name: str
    array: str
    space: str
    index: tuple[Any, ...]
    is_view: bool = False


def place_of(array: TracedArray, position: tuple[Any, ...], written: str) -> Place:
    """Return the place of an element, on a line that writes its array as `written`."""
    try:
        index = whole_index(array, position)
    except ValueError:  # outside the whole array
        index = tuple(position)
    memory, is_view = array.memory, "..." in array.prefix
    return Place(called(array, position, written), memory.name, memory.space, index, is_view)


def element(array: str, index: tuple[Any, ...]) -> str:
    """Return ``array[1, 2]``."""
    return f"{array}[{', '.join(str(one) for one in index)}]"


def called(array: TracedArray, position: tuple[Any, ...], written: str) -> str:
    """Return what an element is called on a line that writes its array as `written`."""
    root = array.memory.root
    field = f".{array.field}" if array.field else ""
    if "..." not in array.prefix and (array.field or array.dtype == root.dtype):
        return element(array.memory.name, (*array.prefix, *position)) + field
    return element(written or array.memory.name, position) + field


def whole_index(array: TracedArray, position: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return an index of the whole array; of the view, where its elements are other ones."""
    root, given = array.memory.root, array.data
    if "..." not in array.prefix:
        return (*array.prefix, *position)
    if given.dtype != root.dtype or not root.flags.c_contiguous:
        return tuple(position)
    offset = array.address - root.__array_interface__["data"][0]
    offset += sum(k * stride for k, stride in zip(position, array.strides, strict=True))
    return tuple(int(k) for k in np.unravel_index(offset // root.itemsize, root.shape))


def guard_for(access: str, index: tuple[Any, ...], shape: tuple[int, ...]) -> str | None:
    """Return the condition that keeps an access inside, for instance ``i + 1 < a.shape[0]``.

    Parameters
    ----------
    access : str
        As the kernel writes it: ``"a[i + 1]"``.
    index, shape : tuple of int
        What the index was, and what there is.
    """
    try:
        written: Any = ast.parse(access, mode="eval").body
    except SyntaxError:
        return None
    if not isinstance(written, ast.Subscript):
        return None
    parts = written.slice.elts if isinstance(written.slice, ast.Tuple) else [written.slice]
    if len(parts) != len(index) or len(index) != len(shape):
        return None
    for axis, (part, one, extent) in enumerate(zip(parts, index, shape, strict=True)):
        if isinstance(part, (ast.Constant, ast.Slice)) or 0 <= one < extent:
            continue
        if one < 0:
            return f"{ast.unparse(part)} >= 0"
        return f"{ast.unparse(part)} < {ast.unparse(written.value)}.shape[{axis}]"
    return None
