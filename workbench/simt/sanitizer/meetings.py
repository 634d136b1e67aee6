"""Meetings that some threads miss: what generated code calls at a barrier under a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

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


__all__ = ["left_before", "warp_apart"]
