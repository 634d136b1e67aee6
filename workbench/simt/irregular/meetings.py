"""What threads receive from a barrier or a warp operation, read from each other's frames.

A frame begins with what its thread says (a value of 16 bytes, the operand of a shuffle) and what it
hears. A lane reads what others said when all have arrived, before any of them goes on. Semantics:
CUDA C++ Programming Guide, "Warp Vote", "Warp Match" and "Warp Shuffle Functions", as in
`warp_ops`.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

from numba import njit

from workbench.simt.codegen.raw import peek_at, poke_at
from workbench.simt.irregular.cells import put_int, take_int, take_real

KINDS = {
    "syncthreads": 1, "syncthreads_count": 2, "syncthreads_and": 3, "syncthreads_or": 4,
    "grid_sync": 5, "syncwarp": 8, "activemask": 9, "all_sync": 10, "any_sync": 11, "eq_sync": 12,
    "ballot_sync": 13, "match_any_sync": 14, "match_all_sync": 16, "shfl_sync": 20,
    "shfl_up_sync": 21, "shfl_down_sync": 22, "shfl_xor_sync": 23,
}  # fmt: skip
"""Name -> kind, the low 5 bits of a key; matches of floating-point values have one more."""
GRID_KIND = KINDS["grid_sync"]
SAID, HEARD, OPERAND = 0, 16, 32
"""Offsets in a frame."""
_OPTIONS = {"error_model": "numpy"}
_ACTIVE, _ALL, _ANY, _EQ, _BALLOT, _MATCH_ANY, _MATCH_ALL, _SHFL = 9, 10, 11, 12, 13, 14, 16, 20
_FULL = 0xFFFFFFFF


@njit(**_OPTIONS)
def answer_block(pcs, threads, frames, frame, kind):
    """Let the threads of a block leave a barrier, with what it computes of their predicates."""
    done = -(1 << 40)
    result = 0
    if kind > 1:
        result = 1 if kind == 3 else 0
        for t in range(threads):
            if peek_at(pcs, t) != done:
                holds = take_int(frames + t * frame + SAID)
                if kind == 2:
                    result += holds
                elif kind == 3:
                    result &= holds
                else:
                    result |= holds
    for t in range(threads):
        pc = peek_at(pcs, t)
        if pc != done:
            poke_at(pcs, t, -1 - pc)
            if kind > 1:
                put_int(frames + t * frame + HEARD, result)


@njit(**_OPTIONS)
def release_warps(pcs, threads, frames, frame):
    """Let go every group of lanes whose members have all arrived; return whether any was."""
    released = False
    keys, masks = pcs + 8 * threads, pcs + 16 * threads
    done = -(1 << 40)
    for base in range(0, threads, 32):
        lanes = min(32, threads - base)
        alive = ready = waiting = 0
        for lane in range(lanes):
            pc = peek_at(pcs, base + lane)
            if pc != done:
                alive |= 1 << lane
                if pc >= 0:
                    ready |= 1 << lane
                elif peek_at(keys, base + lane) & 31 > GRID_KIND:
                    waiting |= 1 << lane
        for lane in range(lanes):
            if not waiting >> lane & 1:
                continue
            key, mask = peek_at(keys, base + lane), peek_at(masks, base + lane)
            members = 0
            for other in range(lane, lanes):
                same = peek_at(keys, base + other) == key and peek_at(masks, base + other) == mask
                if waiting >> other & 1 and same:
                    members |= 1 << other
            waiting &= ~members
            kind = key & 31
            missing = ready if kind == _ACTIVE else mask & alive & ~members
            if missing == 0:
                _answer(frames + base * frame, frame, kind, members)
                for other in range(lane, lanes):
                    if members >> other & 1:
                        poke_at(pcs, base + other, -1 - peek_at(pcs, base + other))
                released = True
    return released


@njit(**_OPTIONS)
def _answer(frames, frame, kind, members):
    """Write what every lane of a group hears."""
    if kind >= _SHFL:
        _shuffle(frames, frame, kind - _SHFL, members)
        return
    bits = 0
    if _ALL <= kind <= _BALLOT:
        for lane in range(32):
            if members >> lane & 1:
                bits |= take_int(frames + lane * frame + SAID) << lane
    word = bits
    if kind == _ACTIVE:
        word = members
    elif kind == _ALL:
        word = bits == members
    elif kind == _ANY:
        word = bits != 0
    elif kind == _EQ:
        word = bits == members or bits == 0
    for lane in range(32):
        if members >> lane & 1:
            mine = frames + lane * frame
            if kind >= _MATCH_ANY:
                word = _matching(frames, frame, lane, members, kind & 1)
                if kind >= _MATCH_ALL:
                    same = word == members
                    word = members if same else 0
                    put_int(mine + HEARD + 8, same)
            put_int(mine + HEARD, word)


@njit(**_OPTIONS)
def _matching(frames, frame, lane, members, real):
    word, mine = 0, frames + lane * frame + SAID
    for other in range(32):
        if members >> other & 1:
            theirs = frames + other * frame + SAID
            if real:
                same = take_real(mine) == take_real(theirs)
            else:
                same = take_int(mine) == take_int(theirs)
            word |= same << other
    return word


@njit(**_OPTIONS)
def _shuffle(frames, frame, how, members):
    for lane in range(32):
        if not members >> lane & 1:
            continue
        mine = frames + lane * frame
        operand = take_int(mine + OPERAND)
        source = operand & 31
        if how == 1:
            source = lane - operand
        elif how == 2:
            source = lane + operand
        elif how == 3:
            source = lane ^ operand
        if source < 0 or source > 31 or not members >> source & 1:
            source = lane
        theirs = frames + source * frame
        put_int(mine + HEARD, take_int(theirs + SAID))
        put_int(mine + HEARD + 8, take_int(theirs + SAID + 8))


__all__ = ["GRID_KIND", "KINDS", "answer_block", "release_warps"]
