"""Stamps, and the table into which compiled kernels put what they find.

A stamp packs who, when and where into 63 bits::

    block + 1 (24) | synchronisations of the block so far (17) | thread (10) | site (12)

The first two parts are the *key*. What is found goes into a table with one row for each kind and
pair of sites, so that a faulty launch costs no more than a correct one. Whether two accesses that
no block barrier orders are ordered after all is asked here too: by lanes that met, by fences.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit

from workbench.simt.codegen.raw import as_stored, peek_int, peek_value, poke_float, poke_int

SITE_BITS, THREAD_BITS, SYNC_BITS = 12, 10, 17
KEY_SHIFT = SITE_BITS + THREAD_BITS
SITE_MASK, THREAD_MASK = (1 << SITE_BITS) - 1, (1 << THREAD_BITS) - 1
BLOCK_SHIFT = KEY_SHIFT + SYNC_BITS
OTHERS = THREAD_MASK << SITE_BITS
MOST_SYNCS = (1 << SYNC_BITS) - 1
MOST_BLOCKS = (1 << 24) - 2
MOST_SITES = SITE_MASK - 1
HEADER = 3
MET_AT = 2
"""The word of a table's header that holds where `meetings.lanes_meet` keeps who met whom."""
MET_WORDS = 34
_OPTIONS = {"error_model": "numpy"}


class Seen(IntEnum):
    """What a row of the table is about."""

    READ_AFTER_WRITE = 0
    WRITE_AFTER_WRITE = 1
    WRITE_SAME_VALUE = 2
    WRITE_AFTER_READ = 3
    UNWRITTEN = 4
    OUTSIDE = 5
    WRAPPED = 6
    LEFT_BEFORE_BARRIER = 7
    WARP_APART = 8


class Row(IntEnum):
    """Words of a row; the last two are floats."""

    COUNT = 0
    ACROSS_WARPS = 1
    EARLIER = 2
    LATER = 3
    ELEMENT = 4
    OLD = 5
    NEW = 6
    SIZE = 8


@njit(**_OPTIONS)
def note(table, kind, earlier, later, element, old, new, across):
    """Count a finding, and keep its first example (the first across warps, where there is one)."""
    sites = peek_int(table)
    place = (kind * sites + (earlier & SITE_MASK)) * sites + (later & SITE_MASK)
    row = table + 8 * (HEADER + sites + 8 * place)
    count = peek_int(row)
    poke_int(row, count + 1)
    crossed = peek_int(row + 8)
    if across:
        poke_int(row + 8, crossed + 1)
    if count == 0 or (across and crossed == 0):
        poke_int(row + 16, earlier)
        poke_int(row + 24, later)
        poke_int(row + 32, element)
        poke_float(row + 40, old)
        poke_float(row + 48, new)


@njit(**_OPTIONS)
def _ordered_by_fences(table, earlier):
    """Return whether an earlier access was released, and this block has acquired since it began."""
    orders = peek_int(table + 8)
    if orders == 0 or peek_int(orders) == 0:
        return False
    return peek_int(orders + 8 * (earlier >> BLOCK_SHIFT)) >= earlier >> KEY_SHIFT


@njit(**_OPTIONS)
def _met_since(table, earlier, thread1, thread2):
    """Return whether two lanes met in a `syncwarp` of some lanes after an access of the first."""
    met, lane = peek_int(table + 8 * MET_AT) + 8 * MET_WORDS * thread2, thread1 & 31
    latest = peek_int(met + 8 * lane)
    if peek_int(met + 8 * 32) >> lane & 1:
        latest = peek_int(met + 8 * 33)
    return latest > earlier >> KEY_SHIFT


@njit(**_OPTIONS)
def conflict(table, kind, earlier, later, element, data, code, new, warp):
    """Take a closer look at two accesses that no block barrier orders."""
    atomic1 = peek_int(table + 8 * (HEADER + (earlier & SITE_MASK)))
    atomic2 = peek_int(table + 8 * (HEADER + (later & SITE_MASK)))
    if atomic1 and atomic2:
        return
    thread1, thread2 = (earlier >> SITE_BITS) & THREAD_MASK, (later >> SITE_BITS) & THREAD_MASK
    one_block = earlier >> BLOCK_SHIFT == later >> BLOCK_SHIFT
    if one_block and thread1 == thread2:
        return
    one_warp = one_block and thread1 >> 5 == thread2 >> 5
    if one_warp and (earlier < warp or _met_since(table, earlier, thread1, thread2)):
        return
    if _ordered_by_fences(table, earlier):
        return
    old = peek_value(data, element, code)
    if kind == 1 and old == as_stored(new, code):
        kind = 2
    note(table, kind, earlier, later, element, old, new, np.int64(not one_warp))


@njit(**_OPTIONS)
def unwritten(table, stamp, element, data, code):
    """Record a read of an element that nobody has written."""
    value = peek_value(data, element, code)
    note(table, np.int64(4), stamp, stamp, element, value, value, np.int64(0))


@njit(**_OPTIONS)
def second_look(table, place, stamp):
    """Record an index that is outside or wrapped; return the element, or -1 where it is outside."""
    if place == -1:
        note(table, np.int64(5), stamp, stamp, place, 0.0, 0.0, np.int64(0))
        return np.int64(-1)
    note(table, np.int64(6), stamp, stamp, -2 - place, 0.0, 0.0, np.int64(0))
    return -2 - place


def new_tables(workers: int, is_atomic: list[bool], orders: int) -> np.ndarray:
    """Return an empty table for each worker.

    Parameters
    ----------
    workers : int
    is_atomic : list of bool
        By site number, with one for number 0.
    orders : int
        Address of what `fenced` keeps; 0 for a kernel without fences.
    """
    sites = len(is_atomic)
    tables = np.zeros((workers, HEADER + sites + Row.SIZE * len(Seen) * sites**2), np.int64)
    tables[:, 0] = sites
    tables[:, 1] = orders
    tables[:, HEADER : HEADER + sites] = is_atomic
    return tables


def rows_of(table: np.ndarray) -> np.ndarray:
    """Return the rows of one worker's table: (kind, site, site, `Row`)."""
    sites = int(table[0])
    return table[HEADER + sites :].reshape(len(Seen), sites, sites, Row.SIZE)
