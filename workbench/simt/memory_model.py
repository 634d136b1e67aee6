"""The memory model: which two accesses are ordered, and what is reported when they are not.

This is the text that the sanitizer, the notebooks and the tests hold each other to. It follows the
CUDA C++ Programming Guide (sections on memory fences, synchronization and warp synchronization
functions) and the PTX memory consistency model, reduced to what a Numba-CUDA kernel can say.

**A race.** Two accesses to the same element of shared or global memory, by two different threads
of one launch, at least one of them a write, at least one of them not atomic, and neither ordered
before the other. Two threads that write the *same value* still race; it is reported with the
severity ``warning`` instead of ``error``, because the result happens not to depend on who is last.

**What orders two accesses X (by p) before Y (by q)**

1. *Program order*: p and q are the same thread.
2. *Block barrier*: `syncthreads` and its counting forms; p arrived after X, q left before Y.
3. *Warp barrier*: `syncwarp(mask)`; both lanes are in the mask, p arrived after X, q left before Y.
4. *Grid barrier*: `cg.this_grid().sync()`, between all threads of the launch.
5. *Fence and atomic*: p does X, then a `threadfence`, then an atomic on an element m; q does an
   atomic on m later in m's modification order, then a `threadfence` or a block barrier, then Y.
   Atomics are device-wide and relaxed: without the fences they order nothing but themselves.
6. *Stream order*: launches in one stream, or joined by an event, follow one another, so two
   accesses of different launches of one stream never race.

Order is transitive through 1 to 5: what q knows when it releases, whoever acquires knows too.

**What does not order**

- Belonging to one warp. Lanes may run apart (independent thread scheduling, since Volta), so
  warp-synchronous code needs `syncwarp`.
- Shuffles, votes and matches (``shfl_*_sync``, ``ballot_sync``, ...): they exchange registers and,
  in the words of the guide, do not imply a memory barrier.
- `threadfence` alone, and the order in which an engine happens to run the threads or the blocks.

Where it is kinder than the PTX text: a block barrier stands for the acquiring fence of rule 5, as
in the guide's own sample of the last block that finishes a sum; and fences that the threads of a
block did before a barrier serve whichever of them does the atomic after it.

It refuses to know about values, arrays and messages; that is `workbench.simt.sanitizer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Stamp:
    """When an access happened: who did it, and how far their clocks had come.

    Attributes
    ----------
    thread : int
        Linear index of the thread in the grid.
    block : int
        Linear index of its block.
    clock : int
        The thread's own synchronisations so far.
    block_epoch, grid_epoch : int
        Barriers of its block, and of the grid, that it had left.
    """

    thread: int
    block: int
    clock: int
    block_epoch: int
    grid_epoch: int


@dataclass(slots=True)
class Knowledge:
    """What a thread has seen happen through warp barriers, fences and atomics.

    Attributes
    ----------
    threads : dict of int to int
        Thread to the clock up to which (exclusive) its accesses are known.
    blocks : dict of int to int
        Block to the epoch up to which (exclusive) all its threads' accesses are known.
    """

    threads: dict[int, int] = field(default_factory=dict)
    blocks: dict[int, int] = field(default_factory=dict)

    def copy(self) -> Knowledge:
        """Return an independent copy."""
        return Knowledge(dict(self.threads), dict(self.blocks))

    def merge(self, other: Knowledge) -> None:
        """Learn what `other` knows."""
        for mine, theirs in ((self.threads, other.threads), (self.blocks, other.blocks)):
            for key, clock in theirs.items():
                if clock > mine.get(key, -1):
                    mine[key] = clock


class Clock:
    """The synchronisation state of one thread, advanced by the engine that runs it.

    Parameters
    ----------
    thread, block : int
        Linear indices in the grid.
    """

    def __init__(self, thread: int, block: int):
        self.thread, self.block = thread, block
        self.clock = self.block_epoch = self.grid_epoch = 0
        self.known = Knowledge()
        self.said: Knowledge | None = None
        self.heard: Knowledge | None = None

    def stamp(self) -> Stamp:
        """Return the stamp of an access that this thread does now."""
        return Stamp(self.thread, self.block, self.clock, self.block_epoch, self.grid_epoch)

    def after(self, earlier: Stamp) -> bool:
        """Return whether an access that this thread does now is ordered after `earlier`."""
        if earlier.thread == self.thread or earlier.grid_epoch < self.grid_epoch:
            return True
        if earlier.block == self.block and earlier.block_epoch < self.block_epoch:
            return True
        if self.known.threads.get(earlier.thread, -1) > earlier.clock:
            return True
        return self.known.blocks.get(earlier.block, -1) > earlier.block_epoch

    def fence(self) -> None:
        """`threadfence`: what atomics brought is acquired, what was done may be released."""
        if self.heard is not None:
            self.known.merge(self.heard)
            self.heard = None
        self.clock += 1
        self.said = self.known.copy()
        self.said.threads[self.thread] = self.clock
        self.said.blocks[self.block] = max(
            self.block_epoch, self.said.blocks.get(self.block, self.block_epoch)
        )

    def exchange_knowledge(self, released: Knowledge) -> None:
        """Do an atomic on an element whose releases so far are `released`; they grow by ours."""
        if released.threads or released.blocks:
            self.heard = self.heard or Knowledge()
            self.heard.merge(released)
        if self.said is not None:
            released.merge(self.said)


def cross_warp_barrier(clocks: Sequence[Clock]) -> None:
    """Let the lanes that meet in one `syncwarp` know each other's accesses."""
    together = Knowledge()
    for clock in clocks:
        together.merge(clock.known)
    for clock in clocks:
        clock.clock += 1
        together.threads[clock.thread] = clock.clock
    for clock in clocks:
        clock.known = together.copy()


def cross_block_barrier(clocks: Sequence[Clock]) -> None:
    """Let all threads that meet in one block barrier leave it together."""
    together = Knowledge()
    for clock in clocks:
        together.merge(clock.known)
        if clock.heard is not None:
            together.merge(clock.heard)
            clock.heard = None
    own = {clock.thread for clock in clocks}
    together.threads = {t: c for t, c in together.threads.items() if t not in own}
    shared = bool(together.threads or together.blocks)
    said = _what_was_said(clocks)
    for clock in clocks:
        clock.clock += 1
        clock.block_epoch += 1
        clock.known = together.copy() if shared else Knowledge()
        clock.said = said


def _what_was_said(clocks: Sequence[Clock]) -> Knowledge | None:
    spoken = [clock.said for clock in clocks if clock.said is not None]
    if not spoken:
        return None
    together = Knowledge()
    for said in spoken:
        together.merge(said)
    return together


def cross_grid_barrier(clocks: Sequence[Clock]) -> None:
    """Let all threads of the launch leave a grid barrier together."""
    for clock in clocks:
        clock.clock += 1
        clock.block_epoch += 1
        clock.grid_epoch += 1
        clock.heard = None
        clock.known = Knowledge()
