"""Meetings: what generated code calls at a barrier under a mask, and at an atomic after a fence."""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload

from workbench.simt.codegen.raw import poke_int
from workbench.simt.sanitizer.table import KEY_SHIFT, MET_WORDS, SITE_BITS, note

_OPTIONS: Any = {"error_model": "numpy"}


@njit(**_OPTIONS)
def left_before(mask, key, line, kind, table):
    """Record threads that left before a barrier the others wait at."""
    here, gone = -1, -1
    for t in range(mask.size):
        if mask[t]:
            here = t if here < 0 else here
        elif gone < 0:
            gone = t
    if here >= 0 and gone >= 0:
        earlier = (key << KEY_SHIFT) | (gone << SITE_BITS)
        later = (key << KEY_SHIFT) | (here << SITE_BITS)
        note(table, kind, earlier, later, line, 0.0, 0.0, np.int64(0))


@njit(**_OPTIONS)
def warp_apart(mask, key, line, kind, table):
    """Record warps of which only some lanes reach an operation of the whole warp."""
    for base in range(0, mask.size, 32):
        here, away = -1, -1
        for t in range(base, min(base + 32, mask.size)):
            if mask[t]:
                here = t if here < 0 else here
            elif away < 0:
                away = t
        if here >= 0 and away >= 0:
            earlier = (key << KEY_SHIFT) | (away << SITE_BITS)
            later = (key << KEY_SHIFT) | (here << SITE_BITS)
            note(table, kind, earlier, later, line, 0.0, 0.0, np.int64(0))


def _mask_of(lanes: Any, thread: Any) -> Any:
    """Return a thread's mask, of an array or one number for all."""


@overload(_mask_of, inline="never")
def _mask_of_either(lanes, thread):
    """Compile `_mask_of` for an array and for a number."""
    if isinstance(lanes, types.Array):
        return lambda lanes, thread: np.int64(lanes[thread]) & np.int64(0xFFFFFFFF)
    return lambda lanes, thread: np.int64(lanes) & np.int64(0xFFFFFFFF)


@njit(**_OPTIONS)
def lanes_apart(active, lanes, key, line, kind, table):
    """Record lanes whose mask names a lane that does not come, or leaves themselves out."""
    for t in range(active.size):
        if not active[t]:
            continue
        mask, base = _mask_of(lanes, t), t & ~31
        away = t if not mask >> (t & 31) & 1 else -1
        for other in range(base, min(base + 32, active.size)):
            if mask >> (other & 31) & 1 and not active[other]:
                away = other
        if away >= 0:
            earlier = (key << KEY_SHIFT) | (away << SITE_BITS)
            later = (key << KEY_SHIFT) | (t << SITE_BITS)
            note(table, kind, earlier, later, line, 0.0, 0.0, np.int64(0))


@njit(**_OPTIONS)
def lanes_meet(active, lanes, key, met):
    """Let the lanes that meet in a `syncwarp` of some lanes know what each of them knew.

    `met` holds `MET_WORDS` words for each thread t: for each lane the key before which t knows all
    that the lane has done (a vector clock of the warp), then the lanes that t met last, and the key
    of that. While the same lanes meet again and again, only the last word changes.
    """
    for base in range(0, active.size, 32):
        end, here, same = min(base + 32, active.size), np.int64(0), True
        for t in range(base, end):
            here |= np.int64(active[t]) << (t - base)
        if here == 0:
            continue
        for t in range(base, end):
            group = _mask_of(lanes, t) & here
            same &= not active[t] or met[MET_WORDS * t + 32] == group
        if not same:
            _regroup(base, end, here, lanes, met)
        for t in range(base, end):
            if active[t]:
                met[MET_WORDS * t + 33] = key


@njit(**_OPTIONS)
def _regroup(base, end, here, lanes, met):
    """Write out who met last, then let each new group put its knowledge together."""
    done = np.int64(0)
    for t in range(base, end):
        last = met[MET_WORDS * t + 32]
        for lane in range(32):
            if here >> (t - base) & 1 and last >> lane & 1:
                met[MET_WORDS * t + lane] = met[MET_WORDS * t + 33]
    for t in range(base, end):
        if not here >> (t - base) & 1 or done >> (t - base) & 1:
            continue
        group = _mask_of(lanes, t) & here
        done |= group
        for lane in range(end - base):
            latest = np.int64(0)
            for other in range(base, end):
                if group >> (other - base) & 1:
                    latest = max(latest, met[MET_WORDS * other + lane])
            for other in range(base, end):
                if group >> (other - base) & 1:
                    met[MET_WORDS * other + lane] = latest
        for other in range(base, end):
            if group >> (other - base) & 1:
                met[MET_WORDS * other + 32] = group


@njit(**_OPTIONS)
def meets_others(orders, block, fenced, may):
    """Let an atomic acquire what others released, and release what a fence stands after.

    `orders` holds one word for "this block has acquired" and one for each block, the key up to
    which its accesses are released. Blocks of such a kernel run one after the other.
    """
    if may:
        poke_int(orders, 1)
        if fenced:
            poke_int(orders + 8 * (block + 1), fenced)
    return may


__all__ = ["lanes_apart", "lanes_meet", "left_before", "meets_others", "warp_apart"]
