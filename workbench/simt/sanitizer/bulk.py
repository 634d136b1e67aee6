"""Whole regions of shared memory: what generated code asks before a bare run, and notes after it.

Two `areas` of different threads must be *apart*, elements must be *clean* (nothing unordered has
touched them), and then the region needs no watching; `mark_write` and `mark_read` leave the stamps
that watching would have left. See `table` for stamps.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from math import gcd

import numpy as np
from numba import njit

from workbench.simt.codegen.areas import ends_of, is_empty
from workbench.simt.codegen.raw import peek_at, poke_at
from workbench.simt.sanitizer.table import OTHERS, SITE_BITS

_OPTIONS = {"error_model": "numpy"}
_INLINED = {"error_model": "numpy", "forceinline": True}


@njit(**_OPTIONS)
def apart(one, other):
    """Return whether two areas surely share no element."""
    if is_empty(one) or is_empty(other):
        return True
    low1, high1 = ends_of(one)
    low2, high2 = ends_of(other)
    if high1 < low2 or high2 < low1:
        return True
    step = gcd(gcd(gcd(one[2], one[4]), gcd(one[6], one[8])),
               gcd(gcd(other[2], other[4]), gcd(other[6], other[8])))  # fmt: skip
    return step > 0 and (one[0] - other[0]) % step != 0


@njit(**_OPTIONS)
def injective(one):
    """Return whether different threads surely want different elements of an area."""
    if is_empty(one):
        return True
    _first, nx, sx, ny, sy, nk, sk, nl, sl, _x0, _y0, _row = one
    axes = ((nx, abs(sx), True), (ny, abs(sy), True), (nk, abs(sk), False), (nl, abs(sl), False))
    for n1, s1, is_thread in axes:
        if n1 <= 1 or (s1 == 0 and not is_thread):
            continue
        below = 0
        for n2, s2, _ in axes:
            if n2 > 1 and s2 < s1:
                below += (n2 - 1) * s2
        equals = 0
        for n2, s2, _ in axes:
            equals += n2 > 1 and s2 == s1
        if s1 <= below or equals > 1:
            return False
    return True


@njit(**_OPTIONS)
def _within(one, plane, low, high):
    """Return whether every stamp of an area is at least `low` and below `high`."""
    first, nx, sx, ny, sy, nk, sk, nl, sl, _x0, _y0, _row = one
    nx, ny = (nx if sx else 1), (ny if sy else 1)
    nk, nl = (nk if sk else 1), (nl if sl else 1)
    wrong, width = 0, np.uint64(high - low)
    if ny == 1 and nk == 1 and nl == 1 and sx == 1:
        at = plane + 8 * first
        for x in range(nx):
            wrong |= np.uint64(peek_at(at, x) - low) >= width
        return wrong == 0
    for k in range(nk):
        for l in range(nl):  # noqa: E741
            for y in range(ny):
                at = first + k * sk + l * sl + y * sy
                for x in range(nx):
                    wrong |= np.uint64(peek_at(plane, at + x * sx) - low) >= width
    return wrong == 0


@njit(**_OPTIONS)
def clean_write(one, shadow, plane, barrier):
    """Return whether nobody has touched an area since the last barrier."""
    if is_empty(one):
        return True
    clean = _within(one, shadow, np.int64(0), barrier)
    clean &= _within(one, shadow + plane, np.int64(0), barrier)
    return clean & _within(one, shadow + 2 * plane, np.int64(0), barrier)


@njit(**_OPTIONS)
def clean_read(one, shadow, start, barrier):
    """Return whether an area is written by this block, before its last barrier."""
    return is_empty(one) or _within(one, shadow, start, barrier)


@njit(**_OPTIONS)
def mark_write(one, shadow, stamp):
    """Stamp an area as written; `stamp` has no thread yet."""
    if is_empty(one):
        return
    first, nx, sx, ny, sy, nk, sk, nl, sl, x0, y0, row = one
    stamp += (y0 * row + x0) << SITE_BITS
    nk, nl = (nk if sk else 1), (nl if sl else 1)
    if ny == 1 and nk == 1 and nl == 1 and sx == 1:
        at = shadow + 8 * first
        for x in range(nx):
            poke_at(at, x, stamp + (x << SITE_BITS))
        return
    for k in range(nk):
        for l in range(nl):  # noqa: E741
            for y in range(ny):
                at, who = first + k * sk + l * sl + y * sy, stamp + (y * row << SITE_BITS)
                for x in range(nx):
                    poke_at(shadow, at + x * sx, who + (x << SITE_BITS))


@njit(**_INLINED)
def _read_by(shadow, plane, element, stamp):
    before = peek_at(shadow + plane, element)
    if (before ^ stamp) & OTHERS:
        poke_at(shadow + 2 * plane, element, before)
    poke_at(shadow + plane, element, stamp)


@njit(**_OPTIONS)
def mark_read(one, shadow, plane, stamp):
    """Stamp an area as read, by the first and the last thread where many read an element."""
    if is_empty(one):
        return
    first, nx, sx, ny, sy, nk, sk, nl, sl, x0, y0, row = one
    stamp += (y0 * row + x0) << SITE_BITS
    nk, nl = (nk if sk else 1), (nl if sl else 1)
    if ny == 1 and nk == 1 and nl == 1 and sx == 1:
        one_at, two_at = shadow + plane + 8 * first, shadow + 2 * plane + 8 * first
        for x in range(nx):
            before, now = peek_at(one_at, x), stamp + (x << SITE_BITS)
            kept = peek_at(two_at, x)
            poke_at(two_at, x, before if (before ^ now) & OTHERS else kept)
            poke_at(one_at, x, now)
        return
    hop_x, hop_y = (1 if sx else max(nx - 1, 1)), (1 if sy else max(ny - 1, 1))
    for k in range(nk):
        for l in range(nl):  # noqa: E741
            for y in range(0, ny, hop_y):
                at, who = first + k * sk + l * sl + y * sy, stamp + (y * row << SITE_BITS)
                for x in range(0, nx, hop_x):
                    _read_by(shadow, plane, at + x * sx, who + (x << SITE_BITS))


__all__ = ["apart", "clean_read", "clean_write", "injective", "mark_read", "mark_write"]
