"""CUDA's `libdevice` functions on a CPU, by the C library that computes the same.

Names: Nvidia's libdevice User's Guide. Doubles have the plain name, floats end in ``f``. In kernels
they compile through Numba; what is not in the table is not there, and says so as an unknown name.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import math

import numba
import numpy as np

_ONE = tuple(
    name
    for name in dir(math)
    if name
    in {"acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "erfc"}
    | {"exp", "expm1", "floor", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan"}
    | {"tanh", "trunc"}
)
_TWO = ("atan2", "hypot", "pow", "fmod", "copysign")


def _compile(name: str, text: str):
    scope = {"math": math, "np": np}
    exec(text, scope)
    function = numba.njit(scope[name])
    function.__module__ = __name__
    return function


def _one(name: str, kind: str, suffix: str):
    text = f"def {name}{suffix}(x):\n    return np.{kind}(math.{name}(np.{kind}(x)))"
    return _compile(f"{name}{suffix}", text)


def _two(name: str, kind: str, suffix: str):
    text = (
        f"def {name}{suffix}(x, y):\n    return np.{kind}(math.{name}(np.{kind}(x), np.{kind}(y)))"
    )
    return _compile(f"{name}{suffix}", text)


_OTHERS = {
    "rsqrt": "return np.{k}(1) / np.{k}(math.sqrt(np.{k}(x)))",
    "fabs": "return np.{k}(abs(np.{k}(x)))",
    "cbrt": "return np.{k}(math.copysign(abs(x) ** (1.0 / 3.0), x))",
    "exp2": "return np.{k}(2.0 ** np.float64(x))",
    "exp10": "return np.{k}(10.0 ** np.float64(x))",
    "rint": "return np.{k}(np.rint(np.{k}(x)))",
    "saturate": "return np.{k}(min(max(np.{k}(x), np.{k}(0)), np.{k}(1)))",
}

for _suffix, _kind in (("", "float64"), ("f", "float32")):
    for _name in _ONE:
        globals()[_name + _suffix] = _one(_name, _kind, _suffix)
    for _name in _TWO:
        globals()[_name + _suffix] = _two(_name, _kind, _suffix)
    for _name, _body in _OTHERS.items():
        _text = f"def {_name}{_suffix}(x):\n    " + _body.format(k=_kind)
        globals()[_name + _suffix] = _compile(_name + _suffix, _text)
    for _name, _sign in (("fmax", ">"), ("fmin", "<")):
        _text = (
            f"def {_name}{_suffix}(x, y):\n"
            f"    return np.{_kind}(y if math.isnan(x) or y {_sign} x else x)"
        )
        globals()[_name + _suffix] = _compile(_name + _suffix, _text)

for _name, _plain in (
    ("fast_cosf", "cosf"),
    ("fast_sinf", "sinf"),
    ("fast_tanf", "tanf"),
    ("fast_expf", "expf"),
    ("fast_exp10f", "exp10f"),
    ("fast_logf", "logf"),
    ("fast_log2f", "log2f"),
    ("fast_log10f", "log10f"),
    ("fast_powf", "powf"),
):
    globals()[_name] = globals()[_plain]

__all__ = sorted(
    name
    for name in globals()
    if not name.startswith("_") and name not in ("annotations", "math", "numba", "np")
)
