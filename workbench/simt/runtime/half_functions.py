"""The ``cuda.fp16`` functions as compiled kernels call them: computed wider, rounded once.

Basic operations compute in float32, everything else in float64, as `library.half` does for the
other tiers; either way the half nearest to the exact result is the answer.
"""

# Numba is not typed.
# pyright: reportCallIssue=false

from __future__ import annotations

import math

import numpy as np
from numba import njit

import workbench.simt.runtime.half_operations  # noqa: F401 - teaches Numba float16

_of_one = {
    "hneg": lambda a: -np.float32(a),
    "habs": lambda a: abs(np.float32(a)),
    "hsin": lambda a: math.sin(np.float64(a)),
    "hcos": lambda a: math.cos(np.float64(a)),
    "hlog": lambda a: math.log(np.float64(a)),
    "hlog2": lambda a: math.log2(np.float64(a)),
    "hlog10": lambda a: math.log10(np.float64(a)),
    "hexp": lambda a: math.exp(np.float64(a)),
    "hexp2": lambda a: 2.0 ** np.float64(a),
    "hexp10": lambda a: 10.0 ** np.float64(a),
    "htanh": lambda a: math.tanh(np.float64(a)),
    "hsqrt": lambda a: math.sqrt(np.float64(a)),
    "hrsqrt": lambda a: 1.0 / math.sqrt(np.float64(a)),
    "hfloor": lambda a: np.floor(np.float32(a)),
    "hceil": lambda a: np.ceil(np.float32(a)),
    "hrcp": lambda a: 1.0 / np.float64(a),
    "hrint": lambda a: np.rint(np.float32(a)),
    "htrunc": lambda a: np.trunc(np.float32(a)),
}
_of_two = {
    "hadd": lambda a, b: np.float32(a) + np.float32(b),
    "hsub": lambda a, b: np.float32(a) - np.float32(b),
    "hmul": lambda a, b: np.float32(a) * np.float32(b),
    "hdiv": lambda a, b: np.float32(a) / np.float32(b),
    "hmax": lambda a, b: np.fmax(np.float32(a), np.float32(b)),
    "hmin": lambda a, b: np.fmin(np.float32(a), np.float32(b)),
}
_decided = {
    "heq": lambda a, b: np.float32(a) == np.float32(b),
    "hne": lambda a, b: np.float32(a) != np.float32(b),
    "hgt": lambda a, b: np.float32(a) > np.float32(b),
    "hge": lambda a, b: np.float32(a) >= np.float32(b),
    "hlt": lambda a, b: np.float32(a) < np.float32(b),
    "hle": lambda a, b: np.float32(a) <= np.float32(b),
}
_jit = njit(error_model="numpy")


def _rounded_one(function):
    function = _jit(function)
    return _jit(lambda a: np.float16(function(a)))


def _rounded_two(function):
    function = _jit(function)
    return _jit(lambda a, b: np.float16(function(a, b)))


@_jit
def hfma(a, b, c):
    """Return ``a * b + c`` with one rounding: exact in float64 wherever it decides."""
    return np.float16(np.float64(a) * np.float64(b) + np.float64(c))


globals().update({name: _rounded_one(function) for name, function in _of_one.items()})
globals().update({name: _rounded_two(function) for name, function in _of_two.items()})
globals().update({name: _jit(function) for name, function in _decided.items()})
