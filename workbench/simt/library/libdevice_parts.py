"""What libdevice needs and `math` has not: directed rounding, bit patterns, special functions.

Directed rounding is exact: the nearest result is corrected by one step where the error of the
operation, which error-free transformations give exactly, has the other sign (Dekker 1971; for
``fma`` Boldo and Muller 2011). Bessel and gamma functions are the C library's, in double precision.
"""

# pyright: reportArgumentType=false, reportCallIssue=false
# (Numba's intrinsics are called without the typing context that their definitions take)

from __future__ import annotations

import math

import numpy as np
from numba import njit, types

from workbench.simt.runtime.lanes import lane_fma

_PLAIN = {"error_model": "numpy"}
_D, _I = types.float64, types.int32
c_j0, c_j1, c_y0, c_y1, c_cbrt, c_tgamma, c_lgamma = (
    types.ExternalFunction(name, _D(_D))
    for name in ("j0", "j1", "y0", "y1", "cbrt", "tgamma", "lgamma")
)
c_jn, c_yn = (types.ExternalFunction(name, _D(_I, _D)) for name in ("jn", "yn"))

DOWN, UP, ZERO, NEAREST = -1, 1, 0, 2
"""How to round: the suffixes ``rd``, ``ru``, ``rz`` and ``rn``."""


@njit(**_PLAIN)
def directed(value, error, how):
    """Return the nearest result, or its neighbour where `error` (exact - value) asks for it."""
    if how == NEAREST or error == 0 or not math.isfinite(value) or math.isnan(error):
        return value
    down = how == DOWN or (how == ZERO and (value > 0 or (value == 0 and error > 0)))
    kind = type(value)
    if down and error < 0:
        return np.nextafter(value, kind(-np.inf))
    if not down and error > 0 and (how == UP or value < 0):
        return np.nextafter(value, kind(np.inf))
    return value


@njit(**_PLAIN)
def added(a, b, how):
    """Return ``a + b``."""
    s = a + b
    other = s - a
    return directed(s, (a - (s - other)) + (b - other), how)


@njit(**_PLAIN)
def multiplied(a, b, how):
    """Return ``a * b``."""
    p = a * b
    return directed(p, lane_fma(a, b, -p), how)


@njit(**_PLAIN)
def divided(a, b, how):
    """Return ``a / b``."""
    q = a / b
    left = lane_fma(-q, b, a)
    return directed(q, left if b > 0 else -left, how)


@njit(**_PLAIN)
def rooted(a, how):
    """Return the square root."""
    r = type(a)(math.sqrt(a))
    return directed(r, lane_fma(-r, r, a), how)


@njit(**_PLAIN)
def fused(a, b, c, how):
    """Return ``a * b + c``."""
    result = lane_fma(a, b, c)
    product = a * b
    low = lane_fma(a, b, -product)
    alpha = c + low
    other = alpha - c
    alpha_low = (c - (alpha - other)) + (low - other)
    beta = product + alpha
    other = beta - product
    beta_low = (product - (beta - other)) + (alpha - other)
    return directed(result, ((beta - result) + beta_low) + alpha_low, how)


@njit(**_PLAIN)
def narrowed(a, how):
    """Return a double as a float."""
    value = np.float32(a)
    if math.isinf(value) and not math.isinf(a):  # beyond the largest float
        inward = how == ZERO or ((how == DOWN) == (a > 0) and how != NEAREST)
        return np.nextafter(value, np.float32(0)) if inward else value
    return directed(value, np.float32(np.sign(a - np.float64(value))), how)


@njit(**_PLAIN)
def from_whole(negative, size, value, how):
    """Return `value`, the nearest float to an integer of magnitude `size`, rounded as asked."""
    back = np.float64(abs(value))
    whole = np.uint64(back) if back < 18446744073709551615.0 else np.uint64(0)
    if back >= 18446744073709551615.0:
        error = -1.0  # 2**64 lies above every integer
    else:
        error = 1.0 if size > whole else (-1.0 if size < whole else 0.0)
    return directed(value, type(value)(-error if negative else error), how)


@njit(**_PLAIN)
def to_whole(a, how, low, high):
    """Return a float as an integer, at the nearest end where it is beyond one."""
    if math.isnan(a):
        return np.int64(0)
    if how == DOWN:
        whole = np.floor(a)
    elif how == UP:
        whole = np.ceil(a)
    elif how == ZERO:
        whole = np.trunc(a)
    else:
        whole = np.rint(a)
    if whole <= low:
        return np.int64(low)
    if whole >= high:
        return np.int64(np.uint64(high) - np.uint64(1))
    return np.int64(np.uint64(whole)) if whole >= 9223372036854775808.0 else np.int64(whole)


# -- bit patterns


@njit(**_PLAIN)
def half_to_float(bits):
    """Return the float that a 16-bit pattern stands for."""
    sign = -1.0 if bits & 0x8000 else 1.0
    exponent, fraction = (bits >> 10) & 31, bits & 1023
    if exponent == 31:
        return np.float32(np.nan) if fraction else np.float32(sign * np.inf)
    if exponent == 0:
        return np.float32(sign * fraction * 2.0**-24)
    return np.float32(sign * (1024 + fraction) * 2.0 ** (exponent - 25))


@njit(**_PLAIN)
def float_to_half(a):
    """Return the 16-bit pattern nearest to a float, ties to even."""
    sign = 0x8000 if np.signbit(a) else 0
    size = np.float64(abs(a))
    if math.isnan(a):
        return np.int16(0x7FFF)
    if size >= 65520.0:
        return np.int16(np.uint16(sign | 0x7C00))
    if size < 2.0**-14:
        return np.int16(np.uint16(sign | np.int64(np.rint(size * 2.0**24))))
    _, exponent = math.frexp(size)
    steps = np.int64(np.rint(size * 2.0 ** (11 - exponent)))  # 1024 to 2048
    return np.int16(np.uint16(sign | (((exponent + 13) << 10) + steps)))


@njit(**_PLAIN)
def byte_permuted(x, y, selector):
    """Return four bytes picked from the eight of `y` and `x`; bit 3 of a selector spreads signs."""
    both = (np.uint64(np.uint32(y)) << np.uint64(32)) | np.uint64(np.uint32(x))
    result = 0
    for k in range(4):
        pick = (np.int64(selector) >> (4 * k)) & 15
        byte = np.int64((both >> np.uint64(8 * (pick & 7))) & np.uint64(255))
        if pick & 8:
            byte = 255 if byte & 128 else 0
        result |= byte << (8 * k)
    return np.int32(np.uint32(result))


@njit(**_PLAIN)
def high_product(a, b):
    """Return the upper 64 bits of the product of two unsigned 64-bit numbers."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    a_low, a_high, b_low, b_high = a & mask, a >> half, b & mask, b >> half
    middle = a_high * b_low + ((a_low * b_low) >> half)
    other = a_low * b_high + (middle & mask)
    return a_high * b_high + (middle >> half) + (other >> half)


# -- special functions


@njit(**_PLAIN)
def inverse_erfc(c):
    """Return the `x` with ``erfc(x) == c``: Winitzki's approximation, then Halley's method."""
    if c > 1:
        return -inverse_erfc(2 - c) if c < 2 else (-np.inf if c == 2 else np.nan)
    if c <= 0 or math.isnan(c):
        return np.inf if c == 0 else np.nan
    logarithm = math.log(c) + math.log(2 - c)
    first = 4.330746750799873 + logarithm / 2  # 2 / (pi * 0.147)
    x = math.sqrt(max(math.sqrt(max(first * first - logarithm / 0.147, 0.0)) - first, 0.0))
    for _ in range(4):
        error = math.erfc(x) - c
        x += error / (1.1283791670955126 * math.exp(-x * x) - x * error)
    return x


@njit(**_PLAIN)
def inverse_erf(y):
    """Return the `x` with ``erf(x) == y``."""
    if abs(y) >= 0.5 or math.isnan(y):
        return math.copysign(inverse_erfc(1 - abs(y)), y)
    x = y * 0.886226925452758
    for _ in range(5):
        error = math.erf(x) - y
        x -= error / (1.1283791670955126 * math.exp(-x * x) + x * error)
    return x


@njit(**_PLAIN)
def scaled_erfc(x):
    """Return ``exp(x * x) * erfc(x)``: beyond 5 by its continued fraction."""
    if x < 5:
        return math.exp(x * x) * math.erfc(x)
    tail = x
    for k in range(60, 0, -1):
        tail = x + 0.5 * k / tail
    return 0.5641895835477563 / tail


@njit(**_PLAIN)
def sine_of_pi(x):
    """Return ``sin(pi * x)``, exact at multiples of a half."""
    r = x - 2 * np.rint(x / 2)
    if abs(r) > 0.5:
        r = math.copysign(1.0, r) - r
    return math.sin(math.pi * r)


@njit(**_PLAIN)
def cosine_of_pi(x):
    """Return ``cos(pi * x)``, exact at multiples of a half."""
    return math.sin(math.pi * (0.5 - abs(x - 2 * np.rint(x / 2))))


@njit(**_PLAIN)
def away_from_zero(x):
    """Return the nearest integer, halves away from zero."""
    whole = np.trunc(x)
    return whole + math.copysign(1.0, x) if abs(x - whole) >= 0.5 else whole


@njit(**_PLAIN)
def remainder_and_quotient(x, y):
    """Return the IEEE remainder and the low three bits of the quotient, with its sign."""
    rest = math.fmod(abs(x), abs(y))
    steps = np.int64(math.fmod((abs(x) - rest) / abs(y), 8.0))
    below = abs(y) - rest
    if rest > below or (rest == below and steps & 1):
        rest, steps = -below, steps + 1
    quotient = steps & 7
    return math.copysign(1.0, x) * rest, -quotient if (x < 0) != (y < 0) else quotient
