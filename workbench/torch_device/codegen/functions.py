"""Scalar functions that kernels' text may call: what neither NumPy nor the math module has.

They follow the definitions in PyTorch's documentation, so that edge cases (signs of zero,
infinities, division by zero) agree with its CPU kernels. They refuse dtypes: Numba compiles each
for what it is given.
"""

# Numba's intrinsics take a typing context that callers never see.
# pyright: reportCallIssue=false

from __future__ import annotations

import math

import numpy as np
from numba import njit

from workbench.torch_device.codegen.intrinsics import (
    brain_to_f4,
    f4,
    f4_to_brain,
    f4_to_half,
    half_to_f4,
)

_inline = njit(error_model="numpy")


@_inline
def floor_div(a, b):
    """Floor division of floats, exact where the quotient is near a whole number."""
    if b == 0:
        return a / b
    rest = np.fmod(a, b)
    quotient = (a - rest) / b
    if rest != 0 and (b < 0) != (rest < 0):
        quotient -= 1
    if quotient == 0:
        return math.copysign(0.0, a / b)
    whole = math.floor(quotient)
    return whole + 1.0 if quotient - whole > 0.5 else float(whole)


@_inline
def modulo(a, b):
    """Remainder of floats with the divisor's sign."""
    rest = np.fmod(a, b)
    return rest + b if rest != 0 and (b < 0) != (rest < 0) else rest


@_inline
def int_power(base, exponent):
    """Integer power; negative exponents give 0 but for 1 and -1."""
    if exponent < 0:
        if base == 1:
            return 1
        return (1 if exponent % 2 == 0 else -1) if base == -1 else 0
    result = 1
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


@_inline
def trunc_div(a, b):
    """Integer division rounding towards zero."""
    quotient = a // b
    return quotient + 1 if quotient < 0 and quotient * b != a else quotient


@_inline
def next_bits(a, b, bits, towards):
    """Return the bits of the 16-bit float after `a` on the way to `b`; both come as bits, too."""
    if a != a:
        return np.uint16(bits)
    if b != b or a == b:
        return np.uint16(towards)
    if a == 0:
        return np.uint16(1 if b > 0 else 0x8001)
    return np.uint16(bits + 1 if (a < b) == (a > 0) else bits - 1)


@_inline
def gcd(a, b):
    """Greatest common divisor, never negative."""
    a, b = abs(a), abs(b)
    while b:
        a, b = b, a % b
    return a


@_inline
def lcm(a, b):
    """Least common multiple, never negative."""
    divisor = gcd(a, b)
    return 0 if divisor == 0 else abs(a // divisor * b)


@_inline
def logaddexp(a, b):
    """``log(exp(a) + exp(b))`` without overflow."""
    if math.isinf(a) and a == b:
        return a
    return max(a, b) + math.log1p(math.exp(-abs(a - b)))


@_inline
def softplus(x):
    """``log(1 + exp(x))`` without overflow."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@_inline
def sigmoid(x):
    """Logistic function."""
    return 1.0 / (1.0 + math.exp(-x))


@_inline
def digamma(x):
    """Return the derivative of log gamma (DLMF 5.5.4, 5.5.2, 5.11.2)."""
    if x == 0:
        return math.copysign(math.inf, -x)
    result = 0.0
    if x < 0:
        if x == math.floor(x):
            return math.nan
        result = -math.pi / math.tan(math.pi * x)
        x = 1.0 - x
    while x < 10:
        result -= 1.0 / x
        x += 1.0
    y = 1.0 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132)))))
    return result + math.log(x) - 0.5 / x - series


@_inline
def erfinv(y):
    """Inverse error function: a logarithmic start (Winitzki 2008) and Newton steps."""
    if y <= -1 or y >= 1:
        return math.copysign(math.inf, y) if abs(y) == 1 else math.nan
    logarithm = math.log1p(-y * y)
    half = 2 / (math.pi * 0.147) + logarithm / 2
    x = math.copysign(math.sqrt(math.sqrt(half * half - logarithm / 0.147) - half), y)
    for _ in range(4):
        x -= (math.erf(x) - y) * math.exp(x * x) * (math.sqrt(math.pi) / 2)
    return x


@_inline
def ndtri(p):
    """Inverse of the normal distribution function."""
    return math.sqrt(2.0) * erfinv(2.0 * p - 1.0)


@_inline
def bessel_i(order, x):
    """Return the modified Bessel function I times ``exp(-|x|)`` (DLMF 10.25.2, 10.40.1)."""
    size = abs(x)
    if size < 30.0:
        quarter = size * size / 4
        term = 1.0 if order == 0 else size / 2
        total, k = term, 1
        while k < 200 and term > total * 1e-18:
            term *= quarter / (k * (k + order))
            total += term
            k += 1
        total *= math.exp(-size)
    else:
        mu, term, total = 4.0 * order * order, 1.0, 1.0
        for k in range(1, 20):
            term *= -(mu - (2 * k - 1) ** 2) / (k * 8.0 * size)
            total += term
        total /= math.sqrt(2 * math.pi * size)
    return -total if order == 1 and x < 0 else total


@_inline
def entropy(x):
    """``-x log x``."""
    if x > 0:
        return -x * math.log(x)
    if x == 0:
        return 0.0
    return math.nan if math.isnan(x) else -math.inf


@_inline
def sinc(x):
    """``sin(pi x) / (pi x)``."""
    return 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)


@_inline
def round_decimals(x, decimals):
    """Round to a number of decimals, halves to even."""
    scale = 10.0 ** abs(decimals)
    return np.rint(x * scale) / scale if decimals >= 0 else np.rint(x / scale) * scale


@_inline
def log_ndtr(x):
    """Logarithm of the normal distribution function, accurate in the lower tail."""
    if x < -5:
        y, term, total = 1 / (x * x), 1.0, 1.0
        for k in range(1, 9):
            term *= -(2 * k - 1) * y
            total += term
        return -x * x / 2 - math.log(-x) - 0.5 * math.log(2 * math.pi) + math.log(total)
    return math.log1p(-math.erfc(x / math.sqrt(2.0)) / 2)


@_inline
def erfcx(x):
    """``exp(x^2) erfc(x)``: directly where safe, else its asymptotic series (DLMF 7.12.1)."""
    if x < 8:
        return math.exp(x * x) * math.erfc(x)
    y, term, total = 1 / (2 * x * x), 1.0, 1.0
    for k in range(1, 9):
        term *= -(2 * k - 1) * y
        total += term
    return total / (x * math.sqrt(math.pi))


@_inline
def gelu_tanh_slope(x):
    """Slope of the tanh approximation of GELU (Hendrycks and Gimpel 2016, section 2)."""
    inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    t = math.tanh(inner)
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * 0.7978845608028654 * (1 + 0.134145 * x * x)


@_inline
def as_half(x):
    """Round to float16."""
    return half_to_f4(f4_to_half(f4(x)))


@_inline
def as_brain(x):
    """Round to bfloat16."""
    return brain_to_f4(f4_to_brain(f4(x)))


@_inline
def uniform(key, counter):
    """Return a number in [0, 1) from a key and a counter: SplitMix64's finaliser, 53 bits."""
    z = np.uint64(key) + np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * (1.0 / 9007199254740992.0)


__all__ = [
    "as_brain", "as_half", "bessel_i", "digamma", "entropy", "erfcx", "erfinv", "floor_div",
    "gcd", "gelu_tanh_slope",
    "int_power", "lcm",
    "log_ndtr", "logaddexp", "modulo", "ndtri", "next_bits",
    "round_decimals", "sigmoid", "sinc", "softplus",
    "trunc_div", "uniform",
]  # fmt: skip
