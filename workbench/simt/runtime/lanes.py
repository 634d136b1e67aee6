"""Barriers with a value, warp operations and bit operations of compiled kernels.

At a `Meeting` every thread of the block (or of its mask) has put its operand into an array; these
functions read there. They run between two thread loops or inside the second.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_OPTIONS = {"error_model": "numpy"}


@njit(**_OPTIONS)
def lane_any_of(mask):
    """Return whether any thread's mask is set."""
    for t in range(mask.size):  # noqa: SIM110
        if mask[t]:
            return True
    return False


@njit(**_OPTIONS)
def lane_first_missing(mask, live):
    """Return a live thread that is not in the mask, or -1."""
    for t in range(mask.size):
        if live[t] and not mask[t]:
            return t
    return -1


@njit(**_OPTIONS)
def lane_first_of(mask):
    """Return the first thread in the mask, or -1."""
    for t in range(mask.size):
        if mask[t]:
            return t
    return -1


@njit(**_OPTIONS)
def lane_count_of(values, mask):
    """Return how many threads of the mask hold a true value."""
    count = 0
    for t in range(mask.size):
        if mask[t] and values[t]:
            count += 1
    return count


@njit(**_OPTIONS)
def lane_all_of(values, mask):
    """Return 1 where every thread of the mask holds a true value."""
    for t in range(mask.size):
        if mask[t] and not values[t]:
            return 0
    return 1


@njit(**_OPTIONS)
def lane_any_true(values, mask):
    """Return 1 where a thread of the mask holds a true value."""
    for t in range(mask.size):
        if mask[t] and values[t]:
            return 1
    return 0


@njit(**_OPTIONS)
def lane_bits(values, mask, bits):
    """Put into ``bits[warp]`` the lanes of the mask that hold a true value."""
    for warp in range(bits.size):
        word = np.uint32(0)
        for lane in range(32):
            t = warp * 32 + lane
            if t < mask.size and mask[t] and values[t]:
                word |= np.uint32(1) << np.uint32(lane)
        bits[warp] = word


@njit(**_OPTIONS)
def lane_shuffled(values, mask, thread, source):
    """Return the value of another lane of the thread's warp, or its own where that is off."""
    other = (thread & ~31) + source
    inside = 0 <= source < 32 and other < mask.size
    if inside and mask[other]:
        return values[other]
    return values[thread]


@njit(**_OPTIONS)
def lane_matching(values, mask, thread):
    """Return the lanes of the thread's warp that hold the same value."""
    word = np.uint32(0)
    base = thread & ~31
    for lane in range(32):
        t = base + lane
        if t < mask.size and mask[t] and values[t] == values[thread]:
            word |= np.uint32(1) << np.uint32(lane)
    return word


@njit(**_OPTIONS)
def lane_all_matching(values, mask, thread, among):
    """Return (lanes, True) where the active ones of `among` hold one value, else (0, False)."""
    same, active = lane_matching(values, mask, thread) & among, np.uint32(0)
    base = thread & ~31
    for lane in range(32):
        t = base + lane
        if t < mask.size and mask[t]:
            active |= np.uint32(1) << np.uint32(lane)
    active &= among
    if same == active:
        return active, True
    return np.uint32(0), False


def _bit_intrinsic(name: str, result=None):
    @intrinsic
    def operation(typing_context, value):
        if not isinstance(value, (types.Integer, types.Boolean)):
            return None
        width = max(32, getattr(value, "bitwidth", 32))
        kind = types.uint64 if width == 64 else types.uint32

        def generate(context, builder, signature, args):
            number = context.cast(builder, args[0], signature.args[0], kind)
            flag = [ir.Constant(ir.IntType(1), 0)] if name in ("ctlz", "cttz") else []
            found = getattr(builder, name)(number, *flag)
            return context.cast(builder, found, kind, signature.return_type)

        return (kind if result is None else result)(value), generate

    return operation


lane_popc = _bit_intrinsic("ctpop", types.int32)
lane_clz = _bit_intrinsic("ctlz", types.int32)
lane_brev = _bit_intrinsic("bitreverse")
_trailing = _bit_intrinsic("cttz", types.int32)


@njit(**_OPTIONS)
def lane_ffs(value):
    """Return the position of the lowest set bit counted from 1, or 0 where none is set."""
    return np.int32(0) if value == 0 else np.int32(_trailing(value) + 1)


@intrinsic
def lane_fma(typing_context, a, b, c):
    """Return ``a * b + c``, rounded once."""
    kind = typing_context.unify_types(a, b, c)
    if not isinstance(kind, types.Float):
        kind = types.float64

    def generate(context, builder, signature, args):
        values = [
            context.cast(builder, arg, arg_type, kind)
            for arg, arg_type in zip(args, signature.args, strict=True)
        ]
        return builder.fma(*values)

    return kind(a, b, c), generate


@njit(**_OPTIONS)
def lane_cbrt(value):
    """Return the real cube root, of negative numbers too."""
    root = abs(value) ** (1.0 / 3.0)
    if root > 0 and not math.isinf(root):  # one Newton step: correct to the last place or two
        root = root - (root * root * root - abs(value)) / (3.0 * root * root)
    return math.copysign(root, value)


@njit(**_OPTIONS)
def lane_selp(condition, a, b):
    """Return `a` where the condition holds, else `b`."""
    return a if condition else b


__all__ = [name for name in globals() if name.startswith("lane_")]
