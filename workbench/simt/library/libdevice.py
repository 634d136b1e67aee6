"""CUDA's `libdevice` on a CPU: every function that ``numba.cuda.libdevice`` has, as one table.

Names and types: Nvidia's libdevice User's Guide and Numba's declarations. Where C returns through
pointers, the results are a tuple, as in Numba. Unsigned operations take and give the bits in signed
integers, as Numba declares them. The ``fast_`` functions are the accurate ones. Functions are
compiled at first use, through Numba; special functions are within about 1e-13 of the true value.
"""

from __future__ import annotations

from typing import Any

import numba

_TYPES = {"d": "float64", "f": "float32", "i": "int32", "l": "int64", "h": "int16"}
_OF_MATH = (
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "erf", "erfc", "exp",
    "expm1", "floor", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh",
    "trunc",
)  # fmt: skip

_FLOATS = {
    **{name: ("F", "F", f"math.{name}(x)") for name in _OF_MATH},
    **{name: ("FF", "F", f"math.{name}(x, y)") for name in ("atan2", "hypot", "pow", "copysign")},
    "cbrt": ("F", "F", "c_cbrt(np.float64(x))"),
    "cospi": ("F", "F", "cosine_of_pi(np.float64(x))"),
    "erfcinv": ("F", "F", "inverse_erfc(np.float64(x))"),
    "erfcx": ("F", "F", "scaled_erfc(np.float64(x))"),
    "erfinv": ("F", "F", "inverse_erf(np.float64(x))"),
    "exp10": ("F", "F", "10.0 ** np.float64(x)"),
    "exp2": ("F", "F", "2.0 ** np.float64(x)"),
    "fabs": ("F", "F", "abs(x)"),
    "fdim": ("FF", "F", "x - y if x > y else (x + y if math.isnan(x + y) else 0.0)"),
    "fma": ("FFF", "F", "lane_fma(x, y, z)"),
    "fmax": ("FF", "F", "y if math.isnan(x) or y > x else x"),
    "fmin": ("FF", "F", "y if math.isnan(x) or y < x else x"),
    "fmod": ("FF", "F", "np.fmod(x, y)"),
    "frexp": ("F", "Fi", "math.frexp(x)"),
    "ilogb": ("F", "i", "math.frexp(x)[1] - 1 if math.isfinite(x) and x != 0 else "
              "(0x7fffffff if math.isinf(x) else -0x80000000)"),
    "j0": ("F", "F", "c_j0(np.float64(x))"),
    "j1": ("F", "F", "c_j1(np.float64(x))"),
    "jn": ("iF", "F", "c_jn(x, np.float64(y))"),
    "ldexp": ("Fi", "F", "math.ldexp(x, y)"),
    "lgamma": ("F", "F", "c_lgamma(np.float64(x))"),
    "llrint": ("F", "l", "np.rint(x)"),
    "llround": ("F", "l", "away_from_zero(x)"),
    "logb": ("F", "F", "np.float64(math.frexp(x)[1] - 1) if math.isfinite(x) and x != 0 else "
             "(-np.inf if x == 0 else abs(np.float64(x)))"),
    "modf": ("F", "FF", "math.modf(x)"),
    "nearbyint": ("F", "F", "np.rint(x)"),
    "nextafter": ("FF", "F", "np.nextafter(x, y)"),
    "normcdf": ("F", "F", "0.5 * math.erfc(-np.float64(x) * 0.7071067811865476)"),
    "normcdfinv": ("F", "F", "-1.4142135623730951 * inverse_erfc(2 * np.float64(x))"),
    "powi": ("Fi", "F", "x ** np.float64(y)"),
    "rcbrt": ("F", "F", "1.0 / c_cbrt(np.float64(x))"),
    "remainder": ("FF", "F", "math.remainder(x, y)"),
    "remquo": ("FF", "Fi", "remainder_and_quotient(np.float64(x), np.float64(y))"),
    "rint": ("F", "F", "np.rint(x)"),
    "round": ("F", "F", "away_from_zero(x)"),
    "rsqrt": ("F", "F", "1.0 / math.sqrt(np.float64(x))"),
    "scalbn": ("Fi", "F", "math.ldexp(x, y)"),
    "sincos": ("F", "FF", "(math.sin(x), math.cos(x))"),
    "sincospi": ("F", "FF", "(sine_of_pi(np.float64(x)), cosine_of_pi(np.float64(x)))"),
    "sinpi": ("F", "F", "sine_of_pi(np.float64(x))"),
    "tgamma": ("F", "F", "c_tgamma(np.float64(x))"),
    "y0": ("F", "F", "c_y0(np.float64(x))"),
    "y1": ("F", "F", "c_y1(np.float64(x))"),
    "yn": ("iF", "F", "c_yn(x, np.float64(y))"),
}  # fmt: skip
"""Functions in double, and with an ``f`` behind the name in single precision.

Name -> (argument types, result types, expression of x, y and z); ``F`` is the function's own float.
"""

_ONLY = {
    "abs": ("i", "i", "abs(x)"),
    "brev": ("i", "i", "lane_brev(x)"),
    "brevll": ("l", "l", "lane_brev(x)"),
    "byte_perm": ("iii", "i", "byte_permuted(x, y, z)"),
    "clz": ("i", "i", "lane_clz(x)"),
    "clzll": ("l", "i", "lane_clz(x)"),
    "double2hiint": ("d", "i", "x.view(np.int64) >> 32"),
    "double2loint": ("d", "i", "np.int32(x.view(np.int64))"),
    "double_as_longlong": ("d", "l", "x.view(np.int64)"),
    "fast_fdividef": ("ff", "f", "x / y"),
    "ffs": ("i", "i", "lane_ffs(x)"),
    "ffsll": ("l", "i", "lane_ffs(x)"),
    "finitef": ("f", "i", "math.isfinite(x)"),
    "float2half_rn": ("f", "h", "float_to_half(x)"),
    "float_as_int": ("f", "i", "x.view(np.int32)"),
    "frsqrt_rn": ("f", "f", "1.0 / math.sqrt(np.float64(x))"),
    "hadd": ("ii", "i", "(np.int64(x) + np.int64(y)) >> 1"),
    "half2float": ("h", "f", "half_to_float(np.int64(x))"),
    "hiloint2double": ("ii", "d",
                       "np.int64((np.int64(x) << 32) | np.int64(np.uint32(y))).view(np.float64)"),
    "int_as_float": ("i", "f", "x.view(np.float32)"),
    "isfinited": ("d", "i", "math.isfinite(x)"),
    "isinfd": ("d", "i", "math.isinf(x)"),
    "isinff": ("f", "i", "math.isinf(x)"),
    "isnand": ("d", "i", "math.isnan(x)"),
    "isnanf": ("f", "i", "math.isnan(x)"),
    "llabs": ("l", "l", "abs(x)"),
    "llmax": ("ll", "l", "max(x, y)"),
    "llmin": ("ll", "l", "min(x, y)"),
    "longlong_as_double": ("l", "d", "x.view(np.float64)"),
    "max": ("ii", "i", "max(x, y)"),
    "min": ("ii", "i", "min(x, y)"),
    "mul24": ("ii", "i", "((np.int64(x) << 40) >> 40) * ((np.int64(y) << 40) >> 40)"),
    "mul64hi": ("ll", "l", "np.int64(high_product(np.uint64(x), np.uint64(y))) "
                "- (y if x < 0 else 0) - (x if y < 0 else 0)"),
    "mulhi": ("ii", "i", "(np.int64(x) * np.int64(y)) >> 32"),
    "popc": ("i", "i", "lane_popc(x)"),
    "popcll": ("l", "i", "lane_popc(x)"),
    "rhadd": ("ii", "i", "(np.int64(x) + np.int64(y) + 1) >> 1"),
    "sad": ("iii", "i", "abs(np.int64(x) - np.int64(y)) + np.int64(np.uint32(z))"),
    "saturatef": ("f", "f", "min(max(x, np.float32(0)), np.float32(1)) if x == x else 0.0"),
    "signbitd": ("d", "i", "np.signbit(x)"),
    "signbitf": ("f", "i", "np.signbit(x)"),
    "uhadd": ("ii", "i", "(np.int64(np.uint32(x)) + np.int64(np.uint32(y))) >> 1"),
    "ullmax": ("ll", "l", "x if np.uint64(x) > np.uint64(y) else y"),
    "ullmin": ("ll", "l", "x if np.uint64(x) < np.uint64(y) else y"),
    "umax": ("ii", "i", "x if np.uint32(x) > np.uint32(y) else y"),
    "umin": ("ii", "i", "x if np.uint32(x) < np.uint32(y) else y"),
    "umul24": ("ii", "i", "(np.int64(x) & 0xFFFFFF) * (np.int64(y) & 0xFFFFFF)"),
    "umul64hi": ("ll", "l", "high_product(np.uint64(x), np.uint64(y))"),
    "umulhi": ("ii", "i", "np.int64((np.uint64(np.uint32(x)) * np.uint64(np.uint32(y))) "
               ">> np.uint64(32))"),
    "urhadd": ("ii", "i", "(np.int64(np.uint32(x)) + np.int64(np.uint32(y)) + 1) >> 1"),
    "usad": ("iii", "i",
             "abs(np.int64(np.uint32(x)) - np.int64(np.uint32(y))) + np.int64(np.uint32(z))"),
}  # fmt: skip
"""Functions of one name: as in `_FLOATS`."""

_HOW = {"rd": "DOWN", "ru": "UP", "rz": "ZERO", "rn": "NEAREST"}
_DIRECTED = {
    "dadd": ("dd", "d", "added(x, y, {how})"),
    "ddiv": ("dd", "d", "divided(x, y, {how})"),
    "dmul": ("dd", "d", "multiplied(x, y, {how})"),
    "double2float": ("d", "f", "narrowed(x, {how})"),
    "drcp": ("d", "d", "divided(np.float64(1), x, {how})"),
    "dsqrt": ("d", "d", "rooted(x, {how})"),
    "fadd": ("ff", "f", "added(x, y, {how})"),
    "fdiv": ("ff", "f", "divided(x, y, {how})"),
    "fma": ("ddd", "d", "fused(x, y, z, {how})"),
    "fmaf": ("fff", "f", "fused(x, y, z, {how})"),
    "fmul": ("ff", "f", "multiplied(x, y, {how})"),
    "frcp": ("f", "f", "divided(np.float32(1), x, {how})"),
    "fsqrt": ("f", "f", "rooted(x, {how})"),
    "fsub": ("ff", "f", "added(x, -y, {how})"),
}
_WHOLE = {
    "int": ("i", "-2147483648.0", "2147483648.0", "np.int64(x)"),
    "uint": ("i", "0.0", "4294967296.0", "np.int64(np.uint32(x))"),
    "ll": ("l", "-9223372036854775808.0", "9223372036854775808.0", "x"),
    "ull": ("l", "0.0", "18446744073709551616.0", "np.uint64(x)"),
}
"""Integer types in conversions: their letter, least value, one past the most, and the value."""


def _table() -> dict[str, tuple[str, str, str]]:
    table = dict(_ONLY)
    for name, (given, result, text) in _FLOATS.items():
        for suffix, letter in (("", "d"), ("f", "f")):
            kinds = given.replace("F", letter), result.replace("F", letter)
            table[name + suffix] = (*kinds, text)
    for suffix, how in _HOW.items():
        for name, (given, result, text) in _DIRECTED.items():
            table[f"{name}_{suffix}"] = (given, result, text.format(how=how))
        for whole, (letter, low, high, _) in _WHOLE.items():
            for real, kind in (("double", "d"), ("float", "f")):
                text = f"to_whole(np.float64(x), {how}, {low}, {high})"
                table[f"{real}2{whole}_{suffix}"] = (kind, letter, text)
                if (whole, kind) in (("int", "d"), ("uint", "d")) and suffix != "rn":
                    continue  # exact, so there is only one
                negative = "False" if whole.startswith("u") else "x < 0"
                size = "np.uint64(n)" if whole.startswith("u") else "np.uint64(abs(n))"
                text = f"from_whole({negative}, {size}, np.{_TYPES[kind]}(n), {how})"
                table[f"{whole}2{real}_{suffix}"] = (letter, kind, text)
    for name in ("cosf", "exp10f", "expf", "log10f", "log2f", "logf", "powf", "sincosf", "sinf"):
        table[f"fast_{name}"] = table[name]
    table["fast_tanf"] = table["tanf"]
    return table


TABLE = _table()
"""Name -> (argument types, result types, expression)."""


def _source(name: str) -> str:
    given, result, text = TABLE[name]
    names = "xyz"[: len(given)]
    lines = [f"def device_{name}({', '.join(names)}):"]
    lines += [f"    {n} = np.{_TYPES[kind]}({n})" for n, kind in zip(names, given, strict=True)]
    if text.startswith("from_whole"):
        whole = name.partition("2")[0]
        lines.append(f"    n = {_WHOLE[whole][3]}")
    if len(result) == 1:
        lines.append(f"    return np.{_TYPES[result]}({text})")
    else:
        lines.append(f"    a, b = {text}")
        lines.append(f"    return np.{_TYPES[result[0]]}(a), np.{_TYPES[result[1]]}(b)")
    return "\n".join(lines)


def __getattr__(name: str) -> Any:
    if name not in TABLE:
        raise AttributeError(f"libdevice has no function {name!r}")
    scope: dict[str, Any] = {}
    exec("import math\nimport numpy as np\n"
         "from workbench.simt.library.libdevice_parts import *\n"
         "from workbench.simt.runtime.lanes import *\n"
         "import workbench.simt.runtime.mathematics\n" + _source(name), scope)  # fmt: skip
    function = numba.njit(error_model="numpy")(scope[f"device_{name}"])
    function.__module__ = __name__
    globals()[name] = function
    return function


__all__ = sorted(TABLE)
