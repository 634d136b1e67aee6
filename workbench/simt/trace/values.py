"""Arithmetic as Numba types it, for kernels that run as plain Python.

Numba computes integers in 64 bits and floats as IEEE 754 (division by zero gives infinity), where
Python has unbounded integers and exceptions. The rewritten kernel calls these helpers instead.
Integers travel as Python ints, floats as NumPy scalars or Python floats.

It refuses to be bit-exact for mixed float widths: a float32 times a Python float stays float32 here
and is a float64 in Numba. The compiled tiers are the ones that answer; this one explains.
"""

# pyright: reportArgumentType=false
# NumPy's abstract scalar types are generic, and pyright refuses them in isinstance.
from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba.core.errors import NumbaError
from numba.np import numpy_support

_LOW, _HIGH, _SPAN = -(1 << 63), 1 << 63, 1 << 64


def wrap(value: Any) -> Any:
    """Return an integer wrapped to 64 bits as Numba's int64, anything else unchanged."""
    if type(value) is int and not _LOW <= value < _HIGH:
        value &= _SPAN - 1
        return value - _SPAN if value >= _HIGH else value
    return value


def plain(value: Any) -> Any:
    """Return NumPy integers and booleans as Python's; uint64 stays, for its own arithmetic."""
    if isinstance(value, np.integer) and not isinstance(value, np.uint64):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    return value


def divide(left: Any, right: Any) -> Any:
    """Divide, giving infinity or NaN for a zero divisor."""
    try:
        return left / right
    except ZeroDivisionError:
        return float(np.float64(left) / np.float64(right))


def floor_divide(left: Any, right: Any) -> Any:
    """Divide and round down; an integer divided by zero is zero, as in Numba's NumPy model."""
    try:
        return left // right
    except ZeroDivisionError:
        return 0 if isinstance(left, int) else np.float64(left) // np.float64(right)


def modulo(left: Any, right: Any) -> Any:
    """Return the remainder; zero for an integer modulo zero, as Numba's ``error_model='numpy'``."""
    try:
        return left % right
    except ZeroDivisionError:
        return 0 if isinstance(left, int) else np.float64(left) % np.float64(right)


def power(left: Any, right: Any) -> Any:
    """Return ``left ** right`` wrapped to 64 bits; infinity where Python would raise."""
    try:
        return wrap(left**right)
    except (OverflowError, ZeroDivisionError):
        return float(np.power(np.float64(left), np.float64(right)))


def cast(dtype: np.dtype, value: Any) -> Any:
    """Convert as a C cast does: integers wrap, floats round."""
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind in "iu":
        number = (
            0 if isinstance(value, (float, np.floating)) and not math.isfinite(value) else value
        )
        bits = 8 * dtype.itemsize
        number = int(number) & ((1 << bits) - 1)
        if dtype == np.uint64:
            return np.uint64(number)
        return number - (1 << bits) if dtype.kind == "i" and number >> (bits - 1) else number
    return dtype.type(value) if dtype.kind in "fc" else value


def viewed(dtype: np.dtype, value: Any, target: np.dtype) -> Any:
    """Return the bits of a number, once it is cast to `dtype`, as a number of another type."""
    bits = np.array(cast(dtype, value), dtype).view(target)[()]
    return int(bits) if target.kind in "iu" and target != np.uint64 else bits


def scalar_type(value: Any) -> np.dtype | None:
    """Return the dtype that a callable such as ``np.int32`` or ``numba.float32`` casts to."""
    if isinstance(value, numba.types.Type):
        try:
            return np.dtype(numpy_support.as_dtype(value))
        except (NotImplementedError, NumbaError):
            return None
    if isinstance(value, type) and issubclass(value, np.generic):
        return np.dtype(value)
    return None


# The functions of `math` by the ufunc that gives IEEE results where `math` raises.
_UFUNCS = {
    "acos": "arccos", "acosh": "arccosh", "asin": "arcsin", "asinh": "arcsinh", "atan": "arctan",
    "atan2": "arctan2", "atanh": "arctanh", "ceil": "ceil", "copysign": "copysign", "cos": "cos",
    "cosh": "cosh", "exp": "exp", "exp2": "exp2", "expm1": "expm1", "fabs": "fabs",
    "floor": "floor", "fmod": "fmod", "hypot": "hypot", "log": "log", "log10": "log10",
    "log1p": "log1p", "log2": "log2", "pow": "power", "sin": "sin", "sinh": "sinh",
    "sqrt": "sqrt", "tan": "tan", "tanh": "tanh", "trunc": "trunc",
}  # fmt: skip
_TO_INTEGER = {"ceil", "floor", "trunc"}


def ieee_math(name: str, *arguments: Any) -> Any:
    """Call ``math.<name>`` keeping float32 as float32, with infinity and NaN instead of raising."""
    ufunc = _UFUNCS.get(name)
    if ufunc is None:
        return getattr(math, name)(*arguments)
    narrow = any(isinstance(value, np.float32) for value in arguments) and not any(
        type(value) is float or isinstance(value, np.float64) for value in arguments
    )
    with np.errstate(all="ignore"):
        result = getattr(np, ufunc)(*(np.float64(value) for value in arguments))
    if name in _TO_INTEGER and np.isfinite(result):
        return int(result)
    return np.float32(result) if narrow else float(result)
