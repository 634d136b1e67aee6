"""Functions of Python's `math` that Numba compiles for a GPU and not for a CPU."""

# pyright: reportCallIssue=false
# (Numba's intrinsics are called without the typing context that their definitions take)

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload, overload_method

from workbench.simt.runtime.lanes import lane_popc

_REAL = (types.Float, types.Integer, types.Boolean)


def rounded(x, digits):
    """Return ``round(x, digits)`` as a kernel has it: in the type of `x`."""
    return round(x, digits)


@overload(math.remainder)
def _remainder(x, y):
    """Return the distance from the nearest multiple of `y`, as IEEE 754 has it."""
    if not isinstance(x, _REAL) or not isinstance(y, _REAL):
        return None
    kind = np.float32 if x == y == types.float32 else np.float64

    def remainder(x, y):
        size, of = abs(kind(x)), abs(kind(y))
        if math.isnan(size) or math.isnan(of) or math.isinf(size) or of == 0:
            return kind(np.nan)
        if math.isinf(of):
            return kind(x)
        above = np.fmod(size, of)
        below = of - above
        if above < below:
            least = above
        elif above > below:
            least = -below
        else:  # half way: the even multiple
            least = above - kind(2) * np.fmod(kind(0.5) * (size - above), of)
        return least if kind(x) >= 0 else -least

    return remainder


@overload(math.fmod)
def _fmod(x, y):
    """Return what is left of `x` after whole multiples of `y`, with the sign of `x`."""
    if not isinstance(x, _REAL) or not isinstance(y, _REAL):
        return None
    kind = np.float32 if x == y == types.float32 else np.float64

    def fmod(x, y):
        return np.fmod(kind(x), kind(y))

    return fmod


@overload(math.modf)
def _modf(x):
    """Return the part after the point and the part before it, both with the sign of `x`."""
    if not isinstance(x, _REAL):
        return None
    kind = np.float32 if x == types.float32 else np.float64

    def modf(x):
        value = kind(x)
        whole = np.trunc(value)
        part = kind(0) if math.isinf(value) else value - whole
        return np.copysign(part, value), whole

    return modf


@overload(rounded)
def _rounded(x, digits):
    """Round to a number of decimal digits, halves to even, computed in double precision."""
    if not isinstance(x, types.Float) or not isinstance(digits, types.Integer):
        return None
    kind = np.float32 if x == types.float32 else np.float64

    def round_to(x, digits):
        return kind(round(np.float64(x), digits))

    return round_to


@overload_method(types.Integer, "bit_count")
def _bit_count(value):
    """Return how many bits are set."""

    def bit_count(value):
        return lane_popc(value)

    return bit_count
