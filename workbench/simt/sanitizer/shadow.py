"""Shadow memory for compiled kernels: what generated code calls around each access.

A watched array has three *planes* with one word for each element: the stamps (see `table`) of the
last write, of the last read and of the last read by another thread. A stamp of this block from
before its last barrier is ordered; one of another block never is; lanes of one warp are also
ordered by a `syncwarp` between them. All arguments are numbers, see `raw`.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

import math

import numpy as np
from numba import njit

from workbench.simt.codegen.raw import (
    address_of,
    code_of,
    converted,
    load_flat,
    peek_int,
    place_in,
    place_of,
    poke_int,
    store_flat,
)
from workbench.simt.sanitizer.table import BLOCK_SHIFT, OTHERS, conflict, second_look, unwritten

PLANES = 3
_INLINED = {"error_model": "numpy", "forceinline": True}


@njit(**_INLINED)
def plain(place, stamp, table):
    """Return the element of an array that nobody writes: only the index is checked."""
    return place if place >= 0 else second_look(table, place, stamp)


@njit(**_INLINED)
def shared_read(place, data, code, shadow, plane, stamp, start, barrier, warp, table):
    """Watch a read of shared memory. `start`, `barrier` and `warp` are keys in a stamp's place."""
    if place < 0:
        return place
    cell = shadow + 8 * place
    last, before = peek_int(cell), peek_int(cell + plane)
    if np.uint64(last - start) >= np.uint64(barrier - start):
        if last < start:
            unwritten(table, stamp, place, data, code)
        elif (last ^ stamp) & OTHERS:
            conflict(table, np.int64(0), last, stamp, place, data, code, math.nan, warp)
    if before >= barrier and (before ^ stamp) & OTHERS:
        poke_int(cell + 2 * plane, before)
    poke_int(cell + plane, stamp)
    return place


@njit(**_INLINED)
def shared_write(place, data, code, new, shadow, plane, stamp, start, barrier, warp, table):
    """Watch a write of shared memory."""
    if place < 0:
        return
    cell = shadow + 8 * place
    last, one, two = peek_int(cell), peek_int(cell + plane), peek_int(cell + 2 * plane)
    if max(last, one, two) >= barrier:
        if last >= barrier and (last ^ stamp) & OTHERS:
            conflict(table, np.int64(1), last, stamp, place, data, code, new, warp)
        if one >= barrier and (one ^ stamp) & OTHERS:
            conflict(table, np.int64(3), one, stamp, place, data, code, new, warp)
        if two >= barrier and (two ^ stamp) & OTHERS:
            conflict(table, np.int64(3), two, stamp, place, data, code, new, warp)
    poke_int(cell, stamp)


@njit(**_INLINED)
def _unordered(earlier, stamp, start, barrier):
    """Return whether a stamp in global memory may be unordered with this access."""
    if earlier == 0 or start <= earlier < barrier:
        return False
    same_thread = (earlier ^ stamp) & OTHERS == 0
    return not (same_thread and earlier >> BLOCK_SHIFT == stamp >> BLOCK_SHIFT)


@njit(**_INLINED)
def global_read(place, data, code, shadow, plane, stamp, start, barrier, warp, table):
    """Watch a read of global memory that the kernel also writes."""
    if place < 0:
        return place
    cell = shadow + 8 * place
    last = peek_int(cell)
    if _unordered(last, stamp, start, barrier):
        conflict(table, np.int64(0), last, stamp, place, data, code, math.nan, warp)
    before = peek_int(cell + plane)
    if (before ^ stamp) & OTHERS or (before ^ stamp) >> BLOCK_SHIFT:
        poke_int(cell + 2 * plane, before)
    poke_int(cell + plane, stamp)
    return place


@njit(**_INLINED)
def global_write(place, data, code, new, shadow, plane, stamp, start, barrier, warp, table):
    """Watch a write of global memory; `plane` is 0 for an array that nobody reads."""
    if place < 0:
        return
    cell = shadow + 8 * place
    last = peek_int(cell)
    if _unordered(last, stamp, start, barrier):
        conflict(table, np.int64(1), last, stamp, place, data, code, new, warp)
    if plane:
        one, two = peek_int(cell + plane), peek_int(cell + 2 * plane)
        if _unordered(one, stamp, start, barrier):
            conflict(table, np.int64(3), one, stamp, place, data, code, new, warp)
        if _unordered(two, stamp, start, barrier):
            conflict(table, np.int64(3), two, stamp, place, data, code, new, warp)
    poke_int(cell, stamp)


@njit(**_INLINED)
def shared_update(place, data, code, shadow, plane, stamp, start, barrier, warp, table):
    """Watch an atomic on shared memory; return whether it may go ahead."""
    if place < 0:
        return False
    if peek_int(shadow + 8 * place) < start:
        unwritten(table, stamp, place, data, code)
    shared_write(place, data, code, math.nan, shadow, plane, stamp, start, barrier, warp, table)
    return True


@njit(**_INLINED)
def global_update(place, data, code, shadow, plane, stamp, start, barrier, warp, table):
    """Watch an atomic on global memory; return whether it may go ahead."""
    if place < 0:
        return False
    global_write(place, data, code, math.nan, shadow, plane, stamp, start, barrier, warp, table)
    return True


@njit(**_INLINED)
def local_read(place, data, code, shadow, stamp, start, table):
    """Watch a read of a thread's own array, whose stamps begin at `shadow`."""
    if place < 0:
        return place
    if peek_int(shadow + 8 * place) < start:
        unwritten(table, stamp, place, data, code)
    return place


@njit(**_INLINED)
def local_write(place, data, code, new, shadow, stamp, start, table):
    """Watch a write of a thread's own array."""
    if place < 0:
        return
    poke_int(shadow + 8 * place, stamp)


__all__ = [
    "address_of",
    "code_of",
    "converted",
    "global_read",
    "global_update",
    "global_write",
    "load_flat",
    "local_read",
    "local_write",
    "place_in",
    "place_of",
    "plain",
    "poke_int",
    "shared_read",
    "shared_update",
    "shared_write",
    "store_flat",
]  # fmt: skip
