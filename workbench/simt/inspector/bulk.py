"""Whole regions at once: the requests of all warps from an area, without looking at each lane.

Where rows of the block are whole warps, lanes step evenly through memory: the sectors and turns of
the banks follow from the step alone, and all warps between the first and the last are alike.
Otherwise the lanes of each warp are written out once and counted as `counters` does. What a loop
repeats at the same alignment is multiplied.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its functions the signature of their Python function.
from __future__ import annotations

import numpy as np
from numba import njit

from workbench.simt.codegen.areas import is_empty
from workbench.simt.codegen.raw import peek_int, poke_byte, poke_int
from workbench.simt.inspector.counters import LANES, count_lanes, tally

_OPTIONS = {"error_model": "numpy"}
_INLINED = {"error_model": "numpy", "forceinline": True}


@njit(**_OPTIONS)
def even_sectors(offset, step, lanes, itemsize):
    """Return the sectors of lanes that step by some bytes from an offset."""
    reach = (lanes - 1) * step
    if abs(step) > 32:
        return lanes
    return (
        (max(offset, offset + reach) + itemsize - 1 >> 5) - (min(offset, offset + reach) >> 5) + 1
    )


@njit(**_OPTIONS)
def even_ways(step, lanes):
    """Return the turns of the banks for 4-byte elements that lie some elements apart."""
    period = 32 // min(32, step & -step)
    return (lanes + period - 1) // period


@njit(**_INLINED)
def _count_run(record, element, step, lanes, present, times, itemsize, space, atomic):
    """Count requests that are alike, of lanes that step evenly."""
    sectors = ways = 0
    if space == 0:
        sectors = even_sectors(element * itemsize, step * itemsize, lanes, itemsize)
    else:
        ways = 1 if step == 0 or abs(step) == 1 else even_ways(step, lanes)
    meeting = (lanes if step == 0 else 1) if atomic else 0
    tally(record, times, lanes, present, sectors, ways, meeting)


@njit(**_OPTIONS)
def _count_row_of_block(one, element, times, record, itemsize, space, atomic, threads, y):
    """Count the warps of one row of a block whose rows are whole warps."""
    _first, nx, sx, _ny, _sy, _nk, _sk, _nl, _sl, x0, _y0, row = one
    last = x0 + nx - 1
    left = threads - y * row
    head, tail = x0 >> 5, last >> 5
    lanes = min(nx, (head + 1) * LANES - x0)
    present = min(LANES, left - head * LANES)
    _count_run(record, element, sx, lanes, present, times, itemsize, space, atomic)
    if tail > head:
        at, present = element + (tail * LANES - x0) * sx, min(LANES, left - tail * LANES)
        lanes = last + 1 - tail * LANES
        _count_run(record, at, sx, lanes, present, times, itemsize, space, atomic)
    if tail > head + 1:  # 32 steps are whole sectors, so all between are alike
        at, times = element + ((head + 1) * LANES - x0) * sx, times * (tail - head - 1)
        _count_run(record, at, sx, LANES, LANES, times, itemsize, space, atomic)


@njit(**_OPTIONS)
def count_area(one, record, itemsize, space, atomic, threads, lanes_row):
    """Count the requests of a region at one place.

    Parameters
    ----------
    one : tuple
        The area.
    record : int
        Address of the place's record.
    itemsize, space, atomic : int
    threads : int
        Of a block.
    lanes_row : int
        Address of 32 words that are zero.
    """
    if is_empty(one):
        return
    first, _nx, sx, ny, sy, nk, sk, nl, sl, _x0, y0, row = one
    poke_int(record + 8 * 8, itemsize)
    unit = 31 if space == 0 else 3
    alike = sk * itemsize & unit == 0 and sl * itemsize & unit == 0
    times, nk, nl = (nk * nl, 1, 1) if alike else (1, nk, nl)
    simple = space == 0 or sx == 0 or itemsize == 4 or (abs(sx) == 1 and itemsize < 4)
    simple &= row & 31 == 0 or row == threads
    for k in range(nk):
        for l in range(nl):  # noqa: E741
            element = first + k * sk + l * sl
            if simple:
                for y in range(ny):
                    _count_row_of_block(one, element + y * sy, times, record, itemsize, space,
                                        atomic, threads, y0 + y)  # fmt: skip
            else:
                _count_warps(one, element, times, record, itemsize, space, atomic, threads,
                             lanes_row)  # fmt: skip


@njit(**_OPTIONS)
def _count_warps(one, element, times, record, itemsize, space, atomic, threads, lanes_row):
    """Count every warp from a row of its lanes."""
    for start in range(0, threads, LANES):
        present = min(LANES, threads - start)
        _write_lanes(one, element, itemsize, start, present, lanes_row)
        count_lanes(lanes_row, record, itemsize, space, atomic, present, times)


@njit(**_OPTIONS)
def _write_lanes(one, element, itemsize, start, present, lanes_row):
    _first, nx, sx, ny, sy, _nk, _sk, _nl, _sl, x0, y0, row = one
    for lane in range(present):
        y = (start + lane) // row - y0
        x = (start + lane) % row - x0
        if 0 <= x < nx and 0 <= y < ny:
            poke_int(lanes_row + 8 * lane, (element + x * sx + y * sy) * itemsize + 1)


@njit(**_OPTIONS)
def mark_sectors(one, itemsize, sectors):
    """Mark the sectors of global memory that an area touches."""
    if is_empty(one):
        return
    first, nx, sx, ny, sy, nk, sk, nl, sl, _x0, _y0, _row = one
    nx, ny = (nx if sx else 1), (ny if sy else 1)
    nk, nl = (nk if sk else 1), (nl if sl else 1)
    for k in range(nk):
        for l in range(nl):  # noqa: E741
            for y in range(ny):
                start = (first + k * sk + l * sl + y * sy) * itemsize
                _mark_run(start, sx * itemsize, nx, itemsize, sectors)


@njit(**_OPTIONS)
def _mark_run(start, step, count, itemsize, sectors):
    end = start + (count - 1) * step
    if abs(step) <= 32:
        for sector in range(min(start, end) >> 5, (max(start, end) + itemsize - 1 >> 5) + 1):
            poke_byte(sectors + sector, np.uint8(1))
        return
    for x in range(count):
        poke_byte(sectors + (start + x * step >> 5), np.uint8(1))


@njit(**_OPTIONS)
def count_operations(counter, one):
    """Count an operation for every thread and turn of an area."""
    if not is_empty(one):
        poke_int(counter, peek_int(counter) + one[1] * one[3] * one[5] * one[7])


__all__ = ["count_area", "count_operations", "mark_sectors"]
