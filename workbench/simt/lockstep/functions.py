"""Functions on lanes: Python's, `math`'s, and any function of one number taken lane by lane.

They have the types that Numba's inference gives the same call, as `numbers` has for operators.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.simt.lockstep.numbers import WHOLE, CannotLockstep, cast, numbers, truth


def _extreme(better: Callable) -> Callable:
    def run(*values: Any) -> Any:
        if len(values) < 2:
            raise CannotLockstep("min or max of one value")
        numbers(*values)
        best = values[0]
        for value in values[1:]:
            kind = np.result_type(best, value)
            taken = np.where(better(value, best), value, best)
            best = taken.astype(kind) if taken.ndim else kind.type(taken)
        return best

    return run


_OF_HALVES = (np.sqrt, np.sin, np.cos, np.exp, np.log, np.log2, np.log10, np.fabs)


def _floating(ufunc: Callable) -> Callable:
    """Return a function of floats; integers become doubles, as they do in Numba.

    Of a half CUDA computes a few functions as a half, and all others as a float32.
    """

    def run(*values: Any) -> Any:
        numbers(*values)
        given = [v.astype(np.float64) if v.dtype.kind in WHOLE else v for v in values]
        if all(v.dtype == np.float16 for v in given) and ufunc in _OF_HALVES:
            return ufunc(*(v.astype(np.float64) for v in given)).astype(np.float16)
        return ufunc(*(v.astype(np.float32) if v.dtype == np.float16 else v for v in given))

    return run


def _to_whole(ufunc: Callable) -> Callable:
    plain = _floating(ufunc)
    return lambda value: plain(value).astype(np.int64)


def each(function: Callable, result: Any = None) -> Callable:
    """Return a function of lanes from one of NumPy scalars."""

    def run(*values: Any) -> Any:
        numbers(*values)
        kind = result
        if kind is None:
            kind = np.result_type(*values)
            kind = np.dtype(np.float64) if kind.kind in WHOLE else kind
        if all(isinstance(value, np.generic) for value in values):
            return np.dtype(kind).type(function(*values))
        spread = np.broadcast_arrays(*values)
        return np.array([function(*parts) for parts in zip(*spread, strict=True)], kind)

    return run


def _total(function: Callable) -> Callable:
    """Return a function of `math` that gives what C gives where Python raises."""

    def run(value: Any) -> float:
        try:
            return function(value)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return run


_SAME_NAME = (
    "sqrt", "exp", "expm1", "log", "log1p", "log2", "log10", "sin", "cos", "tan", "sinh", "cosh",
    "tanh", "hypot", "fmod", "copysign", "degrees", "radians", "fabs", "isnan", "isinf",
    "isfinite",
)  # fmt: skip
_OTHER_NAME = {
    "pow": np.power, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "atan2": np.arctan2, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "exp2": np.exp2, "cbrt": np.cbrt,
}  # fmt: skip
_BY_ELEMENT = ("erf", "erfc", "gamma", "lgamma")
FUNCTIONS: dict[Any, Callable] = {
    min: _extreme(operator.lt),
    max: _extreme(operator.gt),
    abs: lambda value: numbers(value) or np.abs(value),
    int: lambda value: cast(value, np.int64),
    float: lambda value: cast(value, np.float64),
    bool: truth,
    tuple: lambda value: value,
    math.floor: _to_whole(np.floor),
    math.ceil: _to_whole(np.ceil),
    math.trunc: _to_whole(np.trunc),
    **{getattr(math, name): _floating(getattr(np, name)) for name in _SAME_NAME},
    **{
        getattr(math, name): _floating(ufunc)
        for name, ufunc in _OTHER_NAME.items()
        if hasattr(math, name)
    },
    **{getattr(math, name): each(_total(getattr(math, name))) for name in _BY_ELEMENT},
}
"""What Python's and `math`'s functions mean on lanes."""
