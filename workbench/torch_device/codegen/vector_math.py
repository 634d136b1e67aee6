"""Single-precision functions that the compiler can turn into vector instructions.

The C library's ``expf`` and its kin are calls that a loop makes one element at a time. These are
branch-free polynomials instead, written once per function and chosen for float32 (and so for the
16-bit floats, which are computed in float32); for any other type the name means NumPy's function.
Errors against float64 are at most 2.5 units in the last place; a test measures it.

Coefficients are those of the Cephes library in single precision (S. L. Moshier, netlib.org/cephes:
expf.c, logf.c, tanhf.c, sinf.c and, for ``erf``, ndtrf.c); pi / 2 is split as in FDLIBM
(netlib.org/fdlibm, e_rem_pio2.c);
``log1p``'s correction is Kahan's (HP-15C Advanced Functions Handbook, 1982, appendix).
It refuses to set errno and does not look at the rounding mode.
"""

# Numba replaces the bodies: what the type checker sees are stand-ins.
# pyright: reportCallIssue=false, reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit, types
from numba.extending import overload

from workbench.torch_device.codegen.intrinsics import bits_of_f4, f4, f4_of_bits, f8, i4

_inline = njit(error_model="numpy", fastmath={"contract"}, forceinline=True)
_MAGIC = np.float32(12582912.0)  # 1.5 * 2**23: adding it leaves a whole number in the low bits
_MAGIC_BITS = 0x4B400000
_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)


@_inline
def _two_to(n):
    return f4_of_bits(i4((n + 127) << 23))


@_inline
def _reduced(x):
    """Return n and r with ``x = n ln 2 + r`` and ``|r| <= ln 2 / 2``; n as a number and as bits."""
    shifted = x * _LOG2_E + _MAGIC
    n = shifted - _MAGIC
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    return i4(bits_of_f4(shifted) - _MAGIC_BITS), r


@_inline
def _exp_minus_1_near_0(r):
    p = f4(1.9875691500e-4) * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    return p * (r * r) + r


@_inline
def _exp(x):
    clamped = min(max(x, f4(-104.0)), f4(89.0))
    n, r = _reduced(clamped)
    half = i4(n >> 1)
    y = (_exp_minus_1_near_0(r) + f4(1.0)) * _two_to(half) * _two_to(n - half)
    return y if x == x else x


@_inline
def _expm1(x):
    clamped = min(max(x, f4(-20.0)), f4(89.0))
    n, r = _reduced(clamped)
    half = i4(n >> 1)
    scale = _two_to(half)
    last = _two_to(n - half)
    small = _exp_minus_1_near_0(r)
    y = (small * scale + (scale - f4(1.0) / last)) * last
    return x if x != x or x == f4(0.0) else y


@_inline
def _log(x):
    tiny = x < f4(1.17549435e-38)
    bits = bits_of_f4(x * f4(8388608.0) if tiny else x)
    e = i4((bits >> 23) & 0xFF) - 126
    m = f4_of_bits(i4((bits & 0x007FFFFF) | 0x3F000000))  # in [0.5, 1)
    low = m < f4(0.707106781186547524)
    power = f4(e) - (f4(1.0) if low else f4(0.0)) - (f4(23.0) if tiny else f4(0.0))
    r = (m + m if low else m) - f4(1.0)
    p = f4(7.0376836292e-2) * r - f4(1.1514610310e-1)
    p = p * r + f4(1.1676998740e-1)
    p = p * r - f4(1.2420140846e-1)
    p = p * r + f4(1.4249322787e-1)
    p = p * r - f4(1.6668057665e-1)
    p = p * r + f4(2.0000714765e-1)
    p = p * r - f4(2.4999993993e-1)
    p = p * r + f4(3.3333331174e-1)
    square = r * r
    y = p * r * square + power * _LN2_LOW - f4(0.5) * square
    y = (r + y) + power * _LN2_HIGH
    y = f4(-np.inf) if x == f4(0.0) else y
    y = f4(np.nan) if x < f4(0.0) else y
    return y if x < f4(np.inf) else x  # infinity and NaN are their own logarithms


@_inline
def _log1p(x):
    u = f4(1.0) + x
    y = _log(u) * (x / (u - f4(1.0)))
    y = x if u == f4(1.0) else y
    return y if f4(0.0) < u < f4(np.inf) else _log(u)


@_inline
def _tanh(x):
    size = abs(x)
    far = f4(1.0) - f4(2.0) / (_exp(size + size) + f4(1.0))
    z = x * x
    p = f4(-5.70498872745e-3) * z + f4(2.06390887954e-2)
    p = p * z - f4(5.37397155531e-2)
    p = p * z + f4(1.33314422036e-1)
    p = p * z - f4(3.33332819422e-1)
    near = x if x == f4(0.0) else p * z * x + x
    return near if size < f4(0.625) else (far if x > f4(0.0) else -far)


@_inline
def _erf(x):
    size = abs(x)
    z = x * x
    near = f4(7.853861353153693e-5) * z - f4(8.010193625184903e-4)
    near = near * z + f4(5.188327685732524e-3)
    near = near * z - f4(2.685381193529856e-2)
    near = near * z + f4(1.128358514861418e-1)
    near = near * z - f4(3.761262582423300e-1)
    near = (near * z + f4(1.128379165726710)) * x
    q = f4(1.0) / size
    y = q * q
    p = f4(2.326819970068386e-2) * y - f4(1.387039388740657e-1)
    p = p * y + f4(3.687424674597105e-1)
    p = p * y - f4(5.824733027278666e-1)
    p = p * y + f4(6.210004621745983e-1)
    p = p * y - f4(4.944515323274145e-1)
    p = p * y + f4(3.404879937665872e-1)
    p = p * y - f4(2.741127028184656e-1)
    p = p * y + f4(5.638259427386472e-1)
    r = f4(-1.047766399936249e1) * y + f4(1.297719955372516e1)
    r = r * y - f4(7.495518717768503)
    r = r * y + f4(2.921019019210786)
    r = r * y - f4(1.015265279202700)
    r = r * y + f4(4.218463358204948e-1)
    r = r * y - f4(2.820767439740514e-1)
    r = r * y + f4(5.641895067754075e-1)
    far = f4(1.0) - _exp(-z) * q * (p if size < f4(2.0) else r)
    far = far if size < f4(9.0) else f4(1.0)  # beyond, exp underflows; and infinity squared
    far = far if x > f4(0.0) else -far
    y = near if size < f4(1.0) else far
    return y if x == x else x


@_inline
def _quarter_turns(x):
    """Return n and r with ``x = n pi / 2 + r``, in float64; for ``|x|`` below 2**20."""
    n = x * 0.63661977236758134308 + 6755399441055744.0  # 1.5 * 2**52, as _MAGIC
    n -= 6755399441055744.0
    return i4(n), f4((x - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11)


@_inline
def _sin_of_turns(n, r):
    z = r * r
    s = f4(-1.9515295891e-4) * z + f4(8.3321608736e-3)
    s = (s * z - f4(1.6666654611e-1)) * z * r + r
    c = f4(2.443315711809948e-5) * z - f4(1.388731625493765e-3)
    c = (c * z + f4(4.166664568298827e-2)) * z * z - f4(0.5) * z + f4(1.0)
    y = c if n & 1 else s
    return -y if n & 2 else y


@_inline
def near_sin(x):
    """Sine of a number below 2**20 in size."""
    n, r = _quarter_turns(f8(x))
    return _sin_of_turns(n, r) if x != f4(0.0) else x


@_inline
def near_cos(x):
    """Cosine of a number below 2**20 in size."""
    n, r = _quarter_turns(f8(x))
    return _sin_of_turns(n + 1, r)


GUARDED = {
    "np.sin(self)": ("abs(self) < f4(1048576.0)", "near_sin(self)"),
    "np.cos(self)": ("abs(self) < f4(1048576.0)", "near_cos(self)"),
}
"""Expression -> where a quicker one holds, and that one: both without branches."""


def _for_single(name: str, single: Callable, other: Callable) -> Callable:
    """Return a function for kernels' text: `single` for float32, `other` for any other type."""

    def stand_in(x):
        return other(x)

    stand_in.__name__ = stand_in.__qualname__ = name

    def choose(x):
        if x == types.float32:
            return lambda x: single(x)
        return lambda x: other(x)

    overload(stand_in, jit_options={"error_model": "numpy", "forceinline": True})(choose)
    return stand_in


exp = _for_single("exp", _exp, np.exp)
expm1 = _for_single("expm1", _expm1, np.expm1)
log = _for_single("log", _log, np.log)
log1p = _for_single("log1p", _log1p, np.log1p)
tanh = _for_single("tanh", _tanh, np.tanh)
erf = _for_single("erf", _erf, math.erf)

__all__ = ["erf", "exp", "expm1", "log", "log1p", "near_cos", "near_sin", "tanh"]
