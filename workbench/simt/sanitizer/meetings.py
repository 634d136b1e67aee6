"""Meetings: what generated code calls at a barrier under a mask, and at an atomic after a fence."""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from workbench.simt.codegen.raw import poke_int
from workbench.simt.sanitizer.shadow import KEY_SHIFT, SITE_BITS, note

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


__all__ = ["left_before", "meets_others", "warp_apart"]
