"""A launch of a state machine: how many blocks are alive at once, and what it says when it fails.

Blocks that never wait for another block run over all cores, one in flight on each. Where threads
may wait for what another block writes, one core runs all of them in turns, so that memory is what
one thread after the other made it and "nobody can go on" is a fact; blocks are begun in order, more
of them where all in flight only wait. A barrier over the grid keeps every block in flight.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.simt.compiled import run as compiled
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import BarrierDivergenceError, DeadlockError
from workbench.simt.host.host_memory import check_memory
from workbench.simt.irregular import scheduler
from workbench.simt.irregular.build import Machine
from workbench.simt.irregular.resident import turn_address
from workbench.simt.irregular.writer import WORKERS

_WINDOW_BYTES = 1 << 29
"""Memory for blocks begun beside others that wait; it is taken as they are begun."""
_NAMED = 4
"""How many places an error names."""


@dataclass
class _Room:
    """The memory of a launch: of each worker its numbers, then the slots of its blocks."""

    memory: np.ndarray
    homes: np.ndarray
    stride: int
    threads: int


def run(
    machine: Machine,
    grid: Dim3,
    args: tuple,
    shared_bytes: int = 0,
    limit_s: float | None = None,
    order: Any = None,
    inline: bool = False,
) -> None:
    """Run every block of a launch.

    Parameters
    ----------
    machine : Machine
    grid : Dim3
    args : tuple
        The kernel's arguments: NumPy arrays and numbers.
    shared_bytes : int
        Dynamic shared memory of each block.
    limit_s : float, optional
        Seconds after which the launch is stopped.
    order : sequence of int, optional
        In which order the threads of a block take turns; by default from the first to the last.
        No order changes the answer of a correct kernel.
    inline : bool
        Run in the calling thread: for launches known to be short.

    Raises
    ------
    KernelError
        Naming the thread, the line and the index.
    StoppedError, KeyboardInterrupt
        Where the launch was stopped; it says where the threads were.
    """
    facts = machine.module.facts
    together = facts["waits"] or facts["whole_grid"]
    workers = 1 if together else min(compiled.cores(), grid.count)
    room = _room(facts, grid, shared_bytes, workers)
    turns = np.arange(room.threads) if order is None else np.asarray(order, np.int64)
    extra = (room.homes, np.ascontiguousarray(turns, np.int64))

    def state() -> str:
        return "; ".join(_states(room, facts, grid)) or "no thread was under way"

    try:
        compiled.run(
            machine,
            grid,
            args,
            extra=extra,
            shared_bytes=shared_bytes,
            limit_s=limit_s,
            workers=1 if together else None,
            inline=inline,
            state=state,
        )
    except (DeadlockError, BarrierDivergenceError) as error:
        raise type(error)(error.happened, f"{error.saw}; {state()}", error.advice) from error


def _room(facts: dict, grid: Dim3, shared_bytes: int, workers: int) -> _Room:
    stride = facts["block_bytes"] + -(-shared_bytes // 64) * 64
    if facts["whole_grid"]:
        capacity = grid.count
        check_memory(capacity * stride, "A launch with every block alive")
    else:
        most = max(1, _WINDOW_BYTES // stride) if facts["waits"] else 1
        capacity = min(grid.count, most)
    numbers = scheduler.HOME_NUMBERS + capacity
    home = -(-8 * numbers // 64) * 64
    each = home + capacity * stride
    front = 8 * (WORKERS + workers)
    memory = np.empty(front + workers * each + 64, np.uint8)
    start = -(-(memory.ctypes.data + front) // 64) * 64
    homes = memory[:front].view(np.int64)  # whoever has these keeps the memory
    homes[:] = 0, turn_address(), *(start + each * k for k in range(workers))
    for address in homes[WORKERS:]:
        own = memory[address - memory.ctypes.data :][: 8 * numbers].view(np.int64)
        own[: scheduler.HOME_NUMBERS] = 0
        own[scheduler.WINDOW] = capacity if facts["whole_grid"] else 1
        own[scheduler.CAPACITY], own[scheduler.STRIDE] = capacity, stride
        own[scheduler.SLOTS], own[scheduler.CURSOR] = address + home, -1
        own[scheduler.THREADS] = facts["threads"]
        own[scheduler.FRAMES], own[scheduler.FRAME] = facts["frames"], facts["frame"]
        own[scheduler.HOME_NUMBERS :] = np.arange(capacity)
    return _Room(memory, homes, stride, facts["threads"])


def _states(room: _Room, facts: dict, grid: Dim3) -> list[str]:
    """Return where the threads in flight are, the most common places first."""
    places: Counter[str] = Counter()
    first: dict[str, tuple[int, int]] = {}
    blocks = 0
    for number, pcs, keys in _in_flight(room):
        blocks += 1
        for t in np.flatnonzero(pcs != scheduler.DONE):
            waits = pcs[t] < 0
            line = keys[t] >> 12 if waits else facts["lines"][str(pcs[t])]
            place = f"{'wait' if waits else 'are'} at line {line}"
            places[place] += 1
            first.setdefault(place, (number, int(t)))
    said = []
    for place, count in places.most_common(_NAMED):
        number, thread = first[place]
        block = compiled.thread_of(number, tuple(grid))
        said.append(f"{count} threads {place}, the first is {thread} of block {block}")
    return [f"{blocks} blocks in flight", *said] if said else []


def _in_flight(room: _Room):
    """Yield the number, program counters and keys of every block that has begun and not ended."""
    base, threads = room.memory.ctypes.data, room.threads
    for at in room.homes[WORKERS:]:
        home = room.memory[at - base :].view(np.uint8)
        numbers = home[: 8 * scheduler.HOME_NUMBERS].view(np.int64)
        resident = int(numbers[scheduler.RESIDENT])
        active = home[8 * scheduler.HOME_NUMBERS :][: 8 * resident].view(np.int64)
        for k in active:
            start = int(numbers[scheduler.SLOTS] + k * room.stride - base)
            slot = room.memory[start:][: 8 * (scheduler.SLOT_PC + 2 * threads)].view(np.int64)
            pcs = slot[scheduler.SLOT_PC :][:threads]
            keys = slot[scheduler.SLOT_PC + threads :]
            yield int(slot[scheduler.SLOT_BLOCK]), pcs, keys
