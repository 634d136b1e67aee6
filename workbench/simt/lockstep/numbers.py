"""Arithmetic on lanes, with the types that Numba's inference gives the same expression.

A value is a NumPy scalar where all threads hold the same, else a vector with one element for each
thread. NumPy promotes as Numba does once literals are strongly typed, with three exceptions that
are stated here: integers compute in 64 bits, a power with a literal exponent keeps its base's
type, and `min` and `max` keep their first operand unless the other is truly smaller or larger.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

WHOLE = "iub"


class CannotLockstep(Exception):
    """Lockstep is not for this kernel, or not in time; another tier runs it."""


def strong(value: Any) -> Any:
    """Return a Python number, or a tuple of them, as Numba types it: 64 bits.

    Raises
    ------
    CannotLockstep
        Where it is no number.
    """
    if isinstance(value, np.generic):
        return value
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int):
        return np.int64(value) if -(1 << 63) <= value < 1 << 63 else np.uint64(value)
    if isinstance(value, float):
        return np.float64(value)
    if isinstance(value, complex):
        return np.complex128(value)
    if isinstance(value, tuple):
        return tuple(strong(part) for part in value)
    raise CannotLockstep(f"a {type(value).__name__} as a value")


def is_number(value: Any) -> bool:
    """Return whether a value is a scalar or a vector of numbers."""
    return isinstance(value, np.generic) or type(value) is np.ndarray


def numbers(*values: Any) -> None:
    """Refuse what is no number: an array, a tuple, nothing."""
    for value in values:
        if not is_number(value):
            raise CannotLockstep(f"arithmetic on a {type(value).__name__}")


def truth(value: Any) -> Any:
    """Return a value as a condition."""
    numbers(value)
    return value if value.dtype == np.bool_ else value != 0


def choose(condition: np.ndarray, a: Any, b: Any) -> Any:
    """Return `a` in the lanes where the condition holds and `b` in the others."""
    if a is b:
        return a
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        parts = [choose(condition, x, y) for x, y in zip(a, b, strict=True)]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts)
    if not (is_number(a) and is_number(b)):
        raise CannotLockstep("threads for which one name holds different things")
    return np.where(condition, a, b)


def _wide(a: Any, b: Any, mixed: Any) -> tuple[Any, Any]:
    """Return integers in 64 bits; `mixed` is the type where uint64 meets a signed one."""
    if a.dtype.kind not in WHOLE or b.dtype.kind not in WHOLE:
        return a, b
    if a.dtype.kind == b.dtype.kind == "u":
        kind: Any = np.uint64
    else:
        kind = mixed if np.uint64 in (a.dtype, b.dtype) else np.int64
    return a.astype(kind), b.astype(kind)


def _arithmetic(function: Callable) -> Callable:
    return lambda a, b: function(*_wide(a, b, np.float64))


def _bitwise(function: Callable) -> Callable:
    def run(a: Any, b: Any) -> Any:
        if a.dtype == b.dtype == np.bool_:
            return function(a, b)
        return function(*_wide(a, b, np.uint64))

    return run


def _shift(function: Callable) -> Callable:
    def run(a: Any, b: Any) -> Any:
        kind = np.uint64 if a.dtype.kind == "u" else np.int64
        return function(a.astype(kind), b.astype(kind))

    return run


def _divide(a: Any, b: Any) -> Any:
    if a.dtype.kind in WHOLE and b.dtype.kind in WHOLE:
        a, b = a.astype(np.float64), b.astype(np.float64)
    return a / b


_BINARY: dict[type, Callable] = {
    ast.Add: _arithmetic(operator.add),
    ast.Sub: _arithmetic(operator.sub),
    ast.Mult: _arithmetic(operator.mul),
    ast.FloorDiv: _arithmetic(operator.floordiv),
    ast.Mod: _arithmetic(operator.mod),
    ast.Pow: _arithmetic(operator.pow),
    ast.Div: _divide,
    ast.BitAnd: _bitwise(operator.and_),
    ast.BitOr: _bitwise(operator.or_),
    ast.BitXor: _bitwise(operator.xor),
    ast.LShift: _shift(operator.lshift),
    ast.RShift: _shift(operator.rshift),
}
_COMPARISONS: dict[type, Callable] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert}


def binary(op: ast.operator, a: Any, b: Any, exponent: int | None = None) -> Any:
    """Return ``a op b``; `exponent` is the literal right side of a power, if it is one."""
    numbers(a, b)
    if isinstance(op, ast.Pow) and exponent is not None:
        return _power(a, exponent)
    function = _BINARY.get(type(op))
    if function is None:
        raise CannotLockstep(f"the operator {type(op).__name__}")
    return function(a, b)


def _power(base: Any, exponent: int) -> Any:
    """Return a power by squaring, in the base's own type; of a half in float64."""
    if base.dtype == np.float16:
        return np.power(base.astype(np.float64), np.float64(exponent))
    if exponent < 0 and base.dtype.kind in WHOLE:
        raise CannotLockstep("a negative power of an integer")
    if base.dtype.kind in WHOLE:
        base = base.astype(np.uint64 if base.dtype.kind == "u" else np.int64)
    result, factor, left = base.dtype.type(1), base, abs(exponent)
    while left:
        if left & 1:
            result = result * factor
        factor, left = factor * factor, left >> 1
    return result if exponent >= 0 else base.dtype.type(1) / result


def compare(op: ast.cmpop, a: Any, b: Any) -> Any:
    """Return ``a op b`` as a condition."""
    numbers(a, b)
    function = _COMPARISONS.get(type(op))
    if function is None:
        raise CannotLockstep(f"the comparison {type(op).__name__}")
    return function(a, b)


def unary(op: ast.unaryop, a: Any) -> Any:
    """Return ``op a``."""
    if isinstance(op, ast.Not):
        return ~truth(a)
    numbers(a)
    if a.dtype == np.bool_:
        a = a.astype(np.int64)
    found = _UNARY[type(op)](a)  # in the operand's own width, as Numba does, and then in 64 bits
    if found.dtype.kind in WHOLE:
        found = found.astype(np.uint64 if found.dtype.kind == "u" else np.int64)
    return found


def cast(value: Any, dtype: Any) -> Any:
    """Return a value as another type: towards zero where that is an integer."""
    numbers(value)
    dtype = np.dtype(dtype)
    if dtype.kind not in "iufcb" or (value.dtype.kind == "c" and dtype.kind != "c"):
        raise CannotLockstep(f"a conversion from {value.dtype} to {dtype}")
    return value.astype(dtype)
