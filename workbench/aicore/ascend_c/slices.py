"""Parts of tensors in C++: where they begin, and how many elements they have."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from workbench.aicore.ascend_c.values import Array, Local, Number, combine, number, rounded
from workbench.aicore.operations.layouts import fractal


class Part(NamedTuple):
    """What is taken of one axis; `drop` where it is a single place and the axis goes."""

    start: Number
    count: Number
    drop: bool


def difference(start: Number, stop: Number) -> Number:
    """Return stop - start, without the sum where stop is start plus something."""
    begins = f"({start.code} + "
    inside = stop.code[len(begins) : -1]
    if stop.code.startswith(begins) and _balanced(inside):
        return number(int(inside)) if inside.isdigit() else Number(inside)
    return combine(ast.Sub, stop, start)


def _balanced(code: str) -> bool:
    depth = 0
    for sign in code:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    return depth == 0 and not any(sign in code for sign in (" && ", " || ", " ? "))


def sliced(base: Array | Local, given: Sequence[Part]) -> Array | Local:
    """Return a part of a tensor; axes that are not given are taken whole."""
    parts = [*given, *(Part(number(0), one, False) for one in base.shape[len(given) :])]
    shape = tuple(one.count for one in parts if not one.drop)
    if isinstance(base, Array):
        offset, strides = base.offset, []
        for one, stride in zip(parts, base.strides, strict=True):
            offset = combine(ast.Add, offset, combine(ast.Mult, one.start, stride))
            strides += [] if one.drop else [stride]
        return Array(base.name, base.dtype, shape, tuple(strides), offset)
    offset = _local_offset(base, [one.start for one in parts])
    code = base.code if offset.value == 0 else f"{base.code}[{offset.code}]"
    return replace(base, code=code, shape=shape)


def _local_offset(base: Local, starts: list[Number]) -> Number:
    if base.layout == "ND":
        steps = [base.row, number(1)][-len(starts) :]
    elif base.dtype.itemsize == 4 and base.buffer == "L1":
        # slabs of 16 rows, see `workbench.aicore.ascend_c.moves`
        steps = [rounded(base.whole[1], 16), number(16)]
    else:
        block = fractal(base.layout, base.dtype.itemsize)
        # NZ and zN: blocks one below the other, then column by column
        steps = [number(block.columns), rounded(base.whole[0], block.rows)]
    offset = number(0)
    for start, step in zip(starts, steps, strict=True):
        offset = combine(ast.Add, offset, combine(ast.Mult, start, step))
    return offset
