"""Half precision in kernels: the ``cuda.fp16.h*`` functions, one rounding each.

Basic operations compute in float32 and round once to float16, which gives the correctly rounded
result (24 >= 2 * 11 + 2 bits, Figueroa 1995); everything else computes in float64. Here are the
functions of the lockstep and step-through tiers; `runtime.half_functions` has the compiled ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from workbench.simt.frontend.intrinsics import IntrinsicName, Namespace


def _doubly(function: Callable) -> Callable:
    return lambda a: function(np.float64(a))


_FUNCTIONS: dict[str, Callable] = {
    "hadd": np.add,
    "hsub": np.subtract,
    "hmul": np.multiply,
    "hdiv": np.divide,
    "hfma": lambda a, b, c: np.float64(a) * np.float64(b) + np.float64(c),
    "hneg": np.negative,
    "habs": np.abs,
    "hmax": np.fmax,
    "hmin": np.fmin,
    "hsin": _doubly(np.sin),
    "hcos": _doubly(np.cos),
    "hlog": _doubly(np.log),
    "hlog2": _doubly(np.log2),
    "hlog10": _doubly(np.log10),
    "hexp": _doubly(np.exp),
    "hexp2": _doubly(np.exp2),
    "hexp10": lambda a: np.float64(10) ** np.float64(a),
    "htanh": _doubly(np.tanh),
    "hsqrt": _doubly(np.sqrt),
    "hrsqrt": lambda a: 1 / np.sqrt(np.float64(a)),
    "hfloor": np.floor,
    "hceil": np.ceil,
    "hrcp": lambda a: 1 / np.float64(a),
    "hrint": np.rint,
    "htrunc": np.trunc,
}
_COMPARISONS: dict[str, Callable] = {
    "heq": np.equal,
    "hne": np.not_equal,
    "hgt": np.greater,
    "hge": np.greater_equal,
    "hlt": np.less,
    "hle": np.less_equal,
}


def _rounded(function: Callable) -> Callable:
    return lambda *args: np.float16(function(*(np.float32(arg) for arg in args)))


def _decided(function: Callable) -> Callable:
    return lambda *args: np.bool_(function(*(np.float32(arg) for arg in args)))


METHODS = {f"fp16_{name}": _rounded(function) for name, function in _FUNCTIONS.items()}
METHODS.update({f"fp16_{name}": _decided(function) for name, function in _COMPARISONS.items()})
fp16 = Namespace(
    "fp16",
    {name: IntrinsicName(f"fp16.{name}", "call") for name in (*_FUNCTIONS, *_COMPARISONS)},
)
