"""Whose turn it is, who may leave a barrier, and when nobody can go on.

A worker goes round the blocks it has in flight and gives every thread that is ready one turn. Most
kernels have one block in flight. More are begun where all threads only wait for what another block
writes, and a kernel with a barrier over the grid has all of them. All state is in memory by
address, so that these functions are compiled once for every kernel.

What a thread waits at is its *key*: ``line << 12 | number << 5 | kind``. Threads meet at equal
keys. Which threads a barrier waits for, and which lanes a warp operation, is what the step-through
tier does: those of its group that have not returned.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from numba import njit

from workbench.simt.codegen.raw import peek_at, poke_at
from workbench.simt.irregular.meetings import GRID_KIND, answer_block, release_warps
from workbench.simt.runtime.control import Control, Fault

DONE = -(1 << 40)
"""The program counter of a thread that has returned; one that waits has -1 - its next state."""

# Numbers of a worker's home, in units of 8 bytes.
(ACTIVE, RESIDENT, WINDOW, CAPACITY, NEXT, LAST, CURSOR, MOVED, WENT_ON, AT_GRID, IDLE, STRIDE,
 SLOTS, THREADS, FRAMES, FRAME) = range(16)  # fmt: skip
HOME_NUMBERS = 16
# Numbers of a slot.
SLOT_BLOCK, SLOT_FRESH, SLOT_PC = 0, 1, 8
IDLE_ROUNDS = 4
"""Rounds in which threads only wait before more blocks are begun beside them."""
_ENDED, _READY, _GRID, _RELEASED = 0, 1, 2, 3
_OPTIONS = {"error_model": "numpy"}


@njit(**_OPTIONS)
def next_turn(home, moved, went_on, control):
    """Settle the block that just had its turn and return the slot of the next one, or 0.

    Parameters
    ----------
    home : int
        Address of the worker's numbers.
    moved, went_on : int
        Threads that did anything but look at memory that had not changed; those of them that did
        more than go round a loop.
    control : int
        Address of the control block.
    """
    cursor = peek_at(home, CURSOR)
    if cursor >= 0:
        slot = _slot_at(home, cursor)
        found = _settle(home, slot, control)
        if peek_at(control, _FAULT) != 0:
            return 0
        if found == _ENDED:
            _retire(home, cursor)
            went_on += 1
        else:
            cursor += 1
            if found == _RELEASED:
                went_on += 1
            elif found == _GRID:
                poke_at(home, AT_GRID, peek_at(home, AT_GRID) + 1)
        poke_at(home, MOVED, peek_at(home, MOVED) + moved + went_on)
        poke_at(home, WENT_ON, peek_at(home, WENT_ON) + went_on)
    if cursor < 0 or cursor >= peek_at(home, RESIDENT):
        if not _round_ends(home, control):
            return 0
        cursor = 0
    poke_at(home, CURSOR, cursor)
    return _slot_at(home, cursor)


_FAULT = int(Control.FAULT)


@njit(**_OPTIONS)
def _slot_at(home, k):
    number = peek_at(home + 8 * HOME_NUMBERS, k)
    return peek_at(home, SLOTS) + number * peek_at(home, STRIDE)


@njit(**_OPTIONS)
def _retire(home, cursor):
    """Take a block that has ended out of the blocks in flight; its slot is free again."""
    active = home + 8 * HOME_NUMBERS
    last = peek_at(home, RESIDENT) - 1
    free = peek_at(active, cursor)
    poke_at(active, cursor, peek_at(active, last))
    poke_at(active, last, free)
    poke_at(home, RESIDENT, last)


@njit(**_OPTIONS)
def _round_ends(home, control):
    """Begin blocks, and open the barrier over the grid; return whether there is a next turn."""
    resident, coming = peek_at(home, RESIDENT), peek_at(home, LAST) - peek_at(home, NEXT)
    begun = peek_at(home, CURSOR) >= 0
    if begun and resident > 0 and coming == 0 and peek_at(home, AT_GRID) == resident:
        if not _open_grid(home, control):
            return False
    elif begun and resident > 0 and peek_at(home, WENT_ON) == 0:
        more = min(peek_at(home, CAPACITY) - resident, coming)
        if more == 0 and peek_at(home, MOVED) == 0:
            _deadlock(home, control)
            return False
        idle = peek_at(home, IDLE) + 1
        if more > 0 and idle >= IDLE_ROUNDS:
            poke_at(home, WINDOW, min(2 * resident, resident + more))
            idle = 0
        poke_at(home, IDLE, idle)
    else:
        poke_at(home, IDLE, 0)
    _admit(home)
    for number in (MOVED, WENT_ON, AT_GRID):
        poke_at(home, number, 0)
    return peek_at(home, RESIDENT) > 0


@njit(**_OPTIONS)
def _admit(home):
    """Begin blocks until as many are in flight as may be."""
    while peek_at(home, RESIDENT) < peek_at(home, WINDOW) and peek_at(home, NEXT) < peek_at(
        home, LAST
    ):
        k = peek_at(home, RESIDENT)
        slot = _slot_at(home, k)
        poke_at(slot, SLOT_BLOCK, peek_at(home, NEXT))
        poke_at(slot, SLOT_FRESH, 1)
        for t in range(peek_at(home, THREADS)):
            poke_at(slot, SLOT_PC + t, 0)
        poke_at(home, NEXT, peek_at(home, NEXT) + 1)
        poke_at(home, RESIDENT, k + 1)


@njit(**_OPTIONS)
def _settle(home, slot, control):
    """Let go whoever has met everybody it waits for; return how the block stands."""
    threads = peek_at(home, THREADS)
    pcs, keys = slot + 8 * SLOT_PC, slot + 8 * (SLOT_PC + threads)
    ready = done = grid = block = 0
    for t in range(threads):
        pc = peek_at(pcs, t)
        if pc >= 0:
            ready += 1
        elif pc == DONE:
            done += 1
        else:
            kind = peek_at(keys, t) & 31
            block += kind < GRID_KIND
            grid += kind == GRID_KIND
    live = threads - done
    if live == 0:
        return _ENDED
    if ready == live:
        return _READY
    if block == live or grid == live:
        key, first = 0, -1
        for t in range(threads):
            if peek_at(pcs, t) != DONE:
                if first < 0:
                    first, key = t, peek_at(keys, t)
                elif peek_at(keys, t) != key:
                    _divergence(slot, first, t, key, control)
                    return _READY
        if grid == live:
            return _GRID
        answer_block(pcs, threads, slot + peek_at(home, FRAMES), peek_at(home, FRAME), key & 31)
        return _RELEASED
    if live - ready - block - grid > 0:
        frames, frame = slot + peek_at(home, FRAMES), peek_at(home, FRAME)
        if release_warps(pcs, threads, frames, frame):
            return _RELEASED
    if ready == 0:
        _nobody(slot, pcs, keys, threads, control)
    return _READY


@njit(**_OPTIONS)
def _open_grid(home, control):
    key, first, threads = 0, 0, peek_at(home, THREADS)
    for k in range(peek_at(home, RESIDENT)):
        slot = _slot_at(home, k)
        for t in range(threads):
            if peek_at(slot, SLOT_PC + t) != DONE:
                mine = peek_at(slot, SLOT_PC + threads + t)
                if key == 0:
                    key, first = mine, t
                elif mine != key:
                    _divergence(slot, t, first, mine, control)
                    return False
    for k in range(peek_at(home, RESIDENT)):
        slot = _slot_at(home, k)
        for t in range(threads):
            pc = peek_at(slot, SLOT_PC + t)
            if pc != DONE:
                poke_at(slot, SLOT_PC + t, -1 - pc)
    return True


# -- faults


@njit(**_OPTIONS)
def _fault(control, kind, line, thread, other, block):
    if peek_at(control, _FAULT) == 0:
        poke_at(control, _FAULT, kind)
        poke_at(control, _SITE, line)
        poke_at(control, _THREAD, thread)
        poke_at(control, _OTHER, other)
        poke_at(control, _BLOCK, block)


_SITE, _THREAD = int(Control.SITE), int(Control.THREAD)
_OTHER, _BLOCK = int(Control.OTHER), int(Control.BLOCK)
_DIVERGENCE, _DEADLOCK = int(Fault.BARRIER_DIVERGENCE), int(Fault.DEADLOCK)


@njit(**_OPTIONS)
def _divergence(slot, thread, other, key, control):
    _fault(control, _DIVERGENCE, key >> 12, thread, other, peek_at(slot, SLOT_BLOCK))


@njit(**_OPTIONS)
def _nobody(slot, pcs, keys, threads, control):
    """No thread of a block can go on: at a barrier that others never reach, or for ever."""
    at_block = other = waiting = -1
    for t in range(threads):
        if peek_at(pcs, t) == DONE:
            continue
        if peek_at(keys, t) & 31 < GRID_KIND:
            at_block = t if at_block < 0 else at_block
        else:
            other = t if other < 0 else other
        waiting = t if waiting < 0 else waiting
    if at_block >= 0:
        _divergence(slot, at_block, other, peek_at(keys, at_block), control)
    else:
        key = peek_at(keys, waiting)
        _fault(control, _DEADLOCK, key >> 12, waiting, 0, peek_at(slot, SLOT_BLOCK))


@njit(**_OPTIONS)
def _deadlock(home, control):
    """Every thread in flight waits for memory that nobody is left to write."""
    slot, thread = _slot_at(home, 0), 0
    for t in range(peek_at(home, THREADS)):
        if peek_at(slot, SLOT_PC + t) >= 0:
            thread = t
            break
    _fault(control, _DEADLOCK, 0, thread, 0, peek_at(slot, SLOT_BLOCK))


__all__ = ["next_turn"]
