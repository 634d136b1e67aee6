"""Counting at compiled speed: what generated code calls around each access, and per warp.

The threads of a block run one after the other, so the lanes of a warp are gathered in a buffer,
one row of 32 byte offsets (plus one; 0 is nobody) for each visit of a place, and a warp's last lane
has the rows counted.
A row whose lanes step by a constant needs no search; others are counted by comparison. All
arguments are numbers, see `workbench.simt.codegen.raw`. The definitions are those of `metrics`.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from enum import IntEnum

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from workbench.simt.codegen.raw import (
    address_of,
    converted,
    itemsize_of,
    load_flat,
    peek_int,
    place_in,
    place_of,
    poke_byte,
    poke_int,
    store_flat,
)

LANES = 32
MOST_VISITS = 4096
_OPTIONS = {"error_model": "numpy"}
_INLINED = {"error_model": "numpy", "forceinline": True}


class Space(IntEnum):
    """Where an access goes."""

    GLOBAL = 0
    SHARED = 1


class Word(IntEnum):
    """Words of a place's record."""

    REQUESTS = 0
    LANES = 1
    PRESENT = 2
    SECTORS = 3
    WAYS = 4
    MOST_WAYS = 5
    CONTENTION = 6
    TOUCHED = 7
    ITEMSIZE = 8
    SIZE = 16


@njit(**_INLINED)
def seen_once(place, itemsize, record, buffer, lane):
    """Note an access at a place that a thread visits once in a region; return the element."""
    poke_int(buffer + 8 * lane, place * itemsize + 1)
    poke_int(record + 8 * 7, 1)
    return place


@njit(**_INLINED)
def seen(place, itemsize, record, buffer, visits, lane):
    """Note an access at a place that a thread may visit many times; return the element."""
    visit = peek_int(visits + 8 * lane)
    poke_int(visits + 8 * lane, visit + 1)
    if visit < MOST_VISITS:
        poke_int(buffer + 8 * (LANES * visit + lane), place * itemsize + 1)
    if visit >= peek_int(record + 8 * 7):
        poke_int(record + 8 * 7, visit + 1)
    return place


@njit(**_INLINED)
def seen_in_turn(place, itemsize, record, buffer, turn, lane):
    """Note an access in a numbered turn of the loops around it; return the element.

    Turn 0 is the condition of a loop before its first turn.
    """
    if turn < MOST_VISITS:
        poke_int(buffer + 8 * (LANES * turn + lane), place * itemsize + 1)
    if turn >= peek_int(record + 8 * 7):
        poke_int(record + 8 * 7, turn + 1)
    return place


@njit(**_INLINED)
def touches(place, itemsize, sectors):
    """Mark the sectors of an element of global memory; return the element."""
    if place >= 0:
        poke_byte(sectors + place * itemsize // 32, 1)
        if itemsize > 1:
            poke_byte(sectors + (place * itemsize + itemsize - 1) // 32, 1)
    return place


@njit(**_OPTIONS)
def outside(place, table):
    """Return the element of an index, or note that it is outside and return -1."""
    if place < -1:
        return -2 - place
    poke_int(table, 1)
    return np.int64(-1)


@njit(**_INLINED)
def inside(place, table):
    """Return the element of an index; -1 where it is outside."""
    return place if place >= 0 else outside(place, table)


@njit(**_OPTIONS)
def _distinct(row, shift, lanes_from, lanes_to, words, bank):
    """Return how many different units of ``1 << shift`` bytes some lanes want (of one bank)."""
    count = 0
    for a in range(lanes_from, lanes_to):
        first = peek_int(row + 8 * a) - 1
        if first < 0:
            continue
        for word in range(words):
            unit = (first >> shift) + word
            if bank >= 0 and unit & 31 != bank:
                continue
            new = True
            for b in range(lanes_from, a):
                other = peek_int(row + 8 * b) - 1
                if other >= 0 and (other >> shift) <= unit < (other >> shift) + words:
                    new = False
                    break
            count += new
    return count


@njit(**_OPTIONS)
def _sectors(row, itemsize):
    """Return the sectors of a row whose lanes follow no pattern (elements do not straddle)."""
    return _distinct(row, 5, 0, LANES, max(1, itemsize >> 5), -1)


@njit(**_OPTIONS)
def _ways(row, itemsize):
    """Return the turns of the banks that a row of no pattern needs."""
    parts = max(1, min(4, itemsize >> 2))
    words, width, worst = max(1, itemsize >> 2), LANES // max(1, min(4, itemsize >> 2)), 0
    for part in range(parts):
        for bank in range(32):
            worst = max(worst, _distinct(row, 2, part * width, (part + 1) * width, words, bank))
    return worst


@njit(**_OPTIONS)
def _meeting(row):
    """Return how many lanes want the most wanted element."""
    worst = 0
    for a in range(LANES):
        mine = peek_int(row + 8 * a) - 1
        count = 0
        for b in range(LANES):
            count += mine >= 0 and peek_int(row + 8 * b) - 1 == mine
        worst = max(worst, count)
    return worst


@njit(**_OPTIONS)
def _is_dense(row, itemsize):
    """Return whether all lanes of a row step by one element of at most 4 bytes."""
    first, wrong = peek_int(row), 0
    for lane in range(LANES):
        wrong |= peek_int(row + 8 * lane) - first - lane * itemsize
    return wrong == 0 and first > 0 and itemsize <= 4


@njit(**_OPTIONS)
def _count_dense(row, record, itemsize, space, atomic, present):
    """Count one request of all lanes in a row, and empty its row."""
    first = peek_int(row) - 1
    sectors = ((first + LANES * itemsize - 1) >> 5) - (first >> 5) + 1 if space == 0 else 0
    poke_int(record, peek_int(record) + 1)
    poke_int(record + 8, peek_int(record + 8) + LANES)
    poke_int(record + 16, peek_int(record + 16) + present)
    poke_int(record + 24, peek_int(record + 24) + sectors)
    if space:
        poke_int(record + 32, peek_int(record + 32) + 1)
        poke_int(record + 40, max(1, peek_int(record + 40)))
    if atomic:
        poke_int(record + 48, max(1, peek_int(record + 48)))
    for lane in range(LANES):
        poke_int(row + 8 * lane, 0)


@njit(**_OPTIONS)
def tally(record, times, lanes, present, sectors, ways, meeting):
    """Add some requests that are alike to a record."""
    poke_int(record, peek_int(record) + times)
    poke_int(record + 8, peek_int(record + 8) + times * lanes)
    poke_int(record + 16, peek_int(record + 16) + times * present)
    poke_int(record + 24, peek_int(record + 24) + times * sectors)
    poke_int(record + 32, peek_int(record + 32) + times * ways)
    if ways > peek_int(record + 8 * 5):
        poke_int(record + 8 * 5, ways)
    if meeting > peek_int(record + 8 * 6):
        poke_int(record + 8 * 6, meeting)


@njit(**_OPTIONS)
def count_lanes(row, record, itemsize, space, atomic, present, times):
    """Count a request as it stands in a row, some times over, and empty the row."""
    lanes, first, previous, step, even = 0, 0, 0, 0, True
    for lane in range(LANES):
        offset = peek_int(row + 8 * lane) - 1
        if offset < 0:
            continue
        if lanes == 0:
            first = offset
        elif lanes == 1:
            step = offset - previous
        else:
            even &= offset - previous == step
        previous = offset
        lanes += 1
    if lanes == 0:
        return
    sectors = ways = meeting = 0
    dense = even and step == itemsize and itemsize <= 4
    if space == 0:
        if lanes == 1 or (even and step == 0):
            sectors = max(1, itemsize >> 5)
        elif dense:
            sectors = (previous + itemsize - 1 >> 5) - (first >> 5) + 1
        else:
            sectors = _sectors(row, itemsize)
    else:
        simple = lanes == 1 or dense or (even and step == 0)
        ways = 1 if simple else _ways(row, itemsize)
    if atomic:
        simple = lanes == 1 or (even and step != 0)
        meeting = 1 if simple else _meeting(row)
    tally(record, times, lanes, present, sectors, ways, meeting)
    for lane in range(LANES):
        poke_int(row + 8 * lane, 0)


@njit(**_OPTIONS)
def count_place(record, buffer, visits, itemsize, space, atomic, present, table):
    """Count what the lanes of a warp did at one place; `visits` is 0 where they visit it once."""
    rows = peek_int(record + 8 * 7)
    poke_int(record + 8 * 7, 0)
    if rows > MOST_VISITS:
        poke_int(table, 2)
        rows = MOST_VISITS
    poke_int(record + 8 * 8, itemsize)
    for visit in range(rows):
        row = buffer + 8 * LANES * visit
        if _is_dense(row, itemsize):
            _count_dense(row, record, itemsize, space, atomic, present)
        else:
            count_lanes(row, record, itemsize, space, atomic, present, np.int64(1))
    if visits:
        for lane in range(LANES):
            poke_int(visits + 8 * lane, 0)


@njit(**_INLINED)
def warp_ends(record, buffer, visits, itemsize, space, atomic, present, table):
    """Count a place, if any lane of the warp came by."""
    if peek_int(record + 8 * 7):
        count_place(record, buffer, visits, itemsize, space, atomic, present, table)


@intrinsic
def counted(typing_context, counter, value):
    """Return `value`; add one to the counter at that address where it is a float."""
    kind = types.unliteral(value)

    def generate(context, builder, signature, args):
        if isinstance(kind, types.Float):
            pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
            one = ir.Constant(ir.IntType(64), 1)
            builder.store(builder.add(builder.load(pointer), one), pointer)
        return context.cast(builder, args[1], signature.args[1], kind)

    return kind(types.int64, value), generate


__all__ = [
    "address_of", "converted", "counted", "inside", "itemsize_of", "load_flat", "place_in",
    "place_of",
    "seen", "seen_in_turn", "seen_once", "store_flat", "touches", "warp_ends",
]  # fmt: skip
