"""What a kernel's Python stands for in C++: numbers, parts of tensors, queues."""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass, field
from typing import Any

CPP = {
    "float16": "half",
    "bfloat16": "bfloat16_t",
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
}


BINARY = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.FloorDiv: ("/", operator.floordiv),
    ast.Div: ("/", operator.truediv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("", operator.pow),
}


@dataclass(frozen=True)
class Number:
    """A scalar: its C++ code, and its value where that is known already."""

    code: str
    value: float | None = None
    kind: str = "int32_t"


@dataclass(frozen=True)
class Array:
    """A part of a global tensor."""

    name: str
    dtype: Any
    shape: tuple[Number, ...]
    strides: tuple[Number, ...]
    offset: Number


@dataclass(frozen=True)
class Local:
    """A part of a local tensor; `row` is the distance of rows in elements."""

    code: str
    dtype: Any
    buffer: str
    shape: tuple[Number, ...]
    whole: tuple[Number, ...]
    layout: str = "ND"
    row: Number = field(default=Number("0", 0))


@dataclass(frozen=True)
class Que:
    """A queue; `shapes` holds that of the tensor that was last taken from it to be filled."""

    name: str
    dtype: Any
    buffer: str
    shape: tuple[Number, ...]
    shapes: list[tuple[Number, ...]] = field(default_factory=list)


def number(value: Any) -> Number:
    """Return a constant."""
    if isinstance(value, bool):
        return Number("true" if value else "false", value, "bool")
    if isinstance(value, int):
        return Number(str(value), value)
    return Number(f"{float(value)!r}f", float(value), "float")


def lifted(value: Any) -> Any:
    """Return a plain number as a constant, and everything else as it is."""
    return number(value) if isinstance(value, (bool, int, float)) else value


def combine(op: type, left: Number, right: Number) -> Number:
    """Return two numbers joined by a Python operator, folded where both are known."""
    sign, function = BINARY[op]
    if left.value is not None and right.value is not None:
        return number(function(left.value, right.value))
    neutral = {ast.Add: (0, 0), ast.Sub: (None, 0), ast.Mult: (1, 1), ast.FloorDiv: (None, 1)}
    first, second = neutral.get(op, (None, None))
    if first is not None and left.value == first:
        return right
    if second is not None and right.value == second:
        return left
    if op is ast.Mult and 0 in (left.value, right.value):
        return number(0)
    kind = "float" if "float" in (left.kind, right.kind) else "int32_t"
    return Number(f"({left.code} {sign} {right.code})", None, kind)


def rounded(value: Number, step: int) -> Number:
    """Return a number rounded up to a multiple of a constant."""
    more = combine(ast.Add, value, number(step - 1))
    return combine(ast.Mult, combine(ast.FloorDiv, more, number(step)), number(step))
