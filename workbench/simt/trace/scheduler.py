"""Runs a traced launch: threads in a chosen order, each up to where it must wait for others.

One operating-system thread runs everything, so a launch is exactly repeatable: the order decides
who goes first wherever the programming model leaves it open. Where threads would wait for ever
(a barrier that some never reach), the observer is told and they go on, so that one mistake does
not hide the next. It refuses to guess an interleaving inside a barrier region: the memory model
finds what another interleaving could do (see `workbench.simt.memory_model`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.errors import KernelError
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import KernelTypingError
from workbench.simt.frontend.intrinsics import BLOCK_SYNC
from workbench.simt.frontend.resolved import Site
from workbench.simt.memory_model import cross_block_barrier, cross_grid_barrier, cross_warp_barrier
from workbench.simt.trace.arrays import TracedArray, global_memory, poisoned_memory
from workbench.simt.trace.observer import Observer
from workbench.simt.trace.orders import Order, forward
from workbench.simt.trace.program import Program
from workbench.simt.trace.thread import TracedThread
from workbench.simt.warp_ops import BLOCK_OPERATIONS, WARP_OPERATIONS, WARP_SIZE, mask_of

IDLE_ROUNDS = 64  # rounds in which threads only spin and no value changes, before it is a deadlock


@dataclass(frozen=True)
class TraceLaunch:
    """What to run.

    Attributes
    ----------
    grid, block : Dim3
    arguments : tuple
        As the kernel gets them: NumPy arrays are used in place.
    shared_bytes : int
        Dynamic shared memory of a block.
    uninitialised : frozenset of int
        Places of array arguments that hold no values yet.
    """

    grid: Dim3
    block: Dim3
    arguments: tuple[Any, ...]
    shared_bytes: int = 0
    uninitialised: frozenset[int] = frozenset()


class Block:
    """One resident block: its threads and its shared memory."""

    def __init__(self, tracer: Tracer, linear: int):
        grid, extent = tracer.launch.grid, tracer.launch.block
        self.tracer, self.linear = tracer, linear
        self.index = Dim3(linear % grid.x, linear // grid.x % grid.y, linear // (grid.x * grid.y))
        self.shared: dict[int, TracedArray] = {}
        self._dynamic: TracedArray | None = None
        self.threads = [
            TracedThread(self, index, linear) for linear, index in enumerate(extent.indices())
        ]
        self.epoch = 0

    def shared_array(self, site: Site, name: str, shape: Any, dtype: Any) -> TracedArray:
        """Return the array declared at `site`, the same for every thread of the block."""
        found = self.shared.get(site.number)
        if found is None:
            found = self.shared[site.number] = self._new_shared(name, shape, dtype)
            used = {id(one.memory): one.memory.size_bytes for one in self.shared.values()}
            self.tracer.shared_bytes = max(self.tracer.shared_bytes, sum(used.values()))
        return found

    def _new_shared(self, name: str, shape: Any, dtype: Any) -> TracedArray:
        if shape not in (0, (0,), [0]):
            return poisoned_memory(name, "shared", shape, dtype, self.linear)
        if self._dynamic is None:
            count = self.tracer.launch.shared_bytes
            self._dynamic = poisoned_memory(name, "shared", count, np.dtype(np.uint8), self.linear)
        whole = self._dynamic.data
        usable = whole.size // dtype.itemsize * dtype.itemsize
        return TracedArray(whole[:usable].view(dtype), self._dynamic.memory)


class Tracer:
    """Runs one launch.

    Parameters
    ----------
    program : Program
    launch : TraceLaunch
    observer : Observer
    order : callable
        ``order(count)`` returns a permutation of ``range(count)``, used for blocks and threads.
    """

    def __init__(
        self, program: Program, launch: TraceLaunch, observer: Observer, order: Order = forward
    ):
        self.program, self.launch, self.observer, self.order = program, launch, observer, order
        self.changes = self.shared_bytes = 0
        names = program.resolved.source.parameters
        self.arguments = tuple(
            _argument(name, value, place not in launch.uninitialised)
            for place, (name, value) in enumerate(zip(names, launch.arguments, strict=True))
        )

    def run(self, only: Sequence[int] | None = None) -> None:
        """Run every block to its end, or only those with these numbers."""
        grid = self.launch.grid
        numbers = self.order(grid.count) if only is None else only
        with np.errstate(all="ignore"):
            if self.program.resident:
                self._run([Block(self, number) for number in numbers])
            else:
                for number in numbers:
                    self._run([Block(self, number)])

    def _run(self, blocks: list[Block]) -> None:
        ready = []
        for block in blocks:
            for place in self.order(len(block.threads)):
                thread = block.threads[place]
                thread.generator = self.program.start(thread, *self.arguments)
                ready.append(thread)
        idle, seen = 0, self.changes
        while ready:
            for thread in ready:
                self._advance(thread)
            spinning = [t for t in ready if not t.done and t.request[0] == "pause"]
            released = self._release(blocks)
            idle = idle + 1 if not released and seen == self.changes else 0
            seen = self.changes
            if idle > IDLE_ROUNDS:
                self._give_up(spinning)
                spinning = []
            ready = spinning + released
            if not ready:
                ready = self._force(blocks)
        for block in blocks:
            self.observer.block_ends(block)

    def _advance(self, thread: TracedThread) -> None:
        try:
            thread.request = thread.generator.send(thread.answer)
        except StopIteration:
            thread.done = True
        except (TypeError, AttributeError, IndexError) as error:
            if isinstance(error, KernelError):
                raise
            frames: Any = error.__traceback__
            line = frames.tb_next.tb_lineno if frames.tb_next else 0
            raise KernelTypingError(
                "The types in the kernel do not fit together.",
                f"{thread.describe()} at line {line}: {error}",
                "check the arguments of the launch",
            ) from error
        thread.answer = None

    # -- letting threads go on

    def _release(self, blocks: list[Block]) -> list[TracedThread]:
        """Return the threads whose wait is over, in the launch's order."""
        released: list[TracedThread] = []
        for block in blocks:
            living = [thread for thread in block.threads if not thread.done]
            if living and all(thread.request[0] in BLOCK_SYNC for thread in living):
                released += self._block_barrier(block, living)
            elif living:
                released += self._warps(living)
        if self.program.resident:
            released += self._grid_barrier(blocks)
        return [released[place] for place in self.order(len(released))]

    def _grid_barrier(self, blocks: list[Block]) -> list[TracedThread]:
        living = [t for block in blocks for t in block.threads if not t.done]
        if not living or any(thread.request[0] != "grid_sync" for thread in living):
            return []
        gone = next((t for block in blocks for t in block.threads if t.done), None)
        if gone is not None:
            self.observer.diverged(living[0], gone, "barrier divergence", "grid_sync")
        cross_grid_barrier(living)
        self.observer.wait(living, "grid_sync")
        return living

    def _block_barrier(self, block: Block, living: list[TracedThread]) -> list[TracedThread]:
        first = living[0]
        gone = [thread for thread in block.threads if thread.done]
        for kind, left in (("barrier after exit", True), ("barrier divergence", False)):
            one = next((thread for thread in gone if (thread.left is not None) == left), None)
            if one is not None:
                self.observer.diverged(first, one, kind, first.request[0])
        other = next((t for t in living if t.request[1].line != first.request[1].line), None)
        if other is not None:
            self.observer.diverged(first, other, "barrier divergence", first.request[0])
        self.observer.wait(living, first.request[0])
        votes = [thread.request[2][0] for thread in living if thread.request[2]]
        for thread in living:
            thread.answer = BLOCK_OPERATIONS[thread.request[0]](votes)
        cross_block_barrier(living)
        block.epoch += 1
        return living

    def _warps(self, living: list[TracedThread], partial: bool = False) -> list[TracedThread]:
        groups: dict[tuple, list[TracedThread]] = {}
        present: dict[int, int] = {}
        for thread in living:
            present[thread.warp] = present.get(thread.warp, 0) | 1 << thread.laneid
            name, site, arguments = thread.request
            if name in WARP_OPERATIONS:
                line = site.line if name == "activemask" else 0
                key = (thread.warp, name, line, mask_of(name, arguments))
                groups.setdefault(key, []).append(thread)
        released: list[TracedThread] = []
        for (warp, name, _line, mask), lanes in groups.items():
            arrived = sum(1 << thread.laneid for thread in lanes)
            if name == "activemask":
                for thread in lanes:
                    thread.answer = arrived
                released += lanes
            elif partial or (mask & present[warp]) & ~arrived == 0:
                self._exchange(name, mask, lanes)
                released += lanes
        return released

    def _exchange(self, name: str, mask: int, lanes: list[TracedThread]) -> None:
        outside = next((t for t in lanes if not mask >> t.laneid & 1), None)
        if outside is not None:
            detail = f"{name} with the mask 0x{mask:08x}, which leaves out its own lane"
            self.observer.diverged(outside, outside, "wrong mask", detail)
        operands = {thread.laneid: thread.request[2] for thread in lanes}
        results = WARP_OPERATIONS[name](operands)
        for thread in lanes:
            thread.answer = results[thread.laneid]
            if _source_lane(name, thread.laneid, thread.request[2]) not in operands:
                self.observer.diverged(thread, thread, "inactive lane", name)
        self.observer.wait(lanes, name)
        if name == "syncwarp":
            cross_warp_barrier(lanes)

    # -- when nobody can go on

    def _force(self, blocks: list[Block]) -> list[TracedThread]:
        """Report who waits for whom, and let one kind of waiting end."""
        for block in blocks:
            living = [thread for thread in block.threads if not thread.done]
            at_warp = [t for t in living if t.request[0] in WARP_OPERATIONS]
            if at_warp:
                here = at_warp[0]
                mates = [t for t in living if t.warp == here.warp and t is not here]
                there = next((t for t in mates if t.request[:2] != here.request[:2]), here)
                self.observer.diverged(here, there, "warp divergence", here.request[0])
                return self._warps(living, partial=True)
        for block in blocks:
            living = [thread for thread in block.threads if not thread.done]
            at_block = [t for t in living if t.request[0] in BLOCK_SYNC]
            if at_block:
                there = next(t for t in living if t.request[0] not in BLOCK_SYNC)
                here = at_block[0]
                self.observer.diverged(here, there, "barrier divergence", here.request[0])
                return self._block_barrier(block, at_block)
        waiting = [t for block in blocks for t in block.threads if not t.done]
        if waiting:
            gone = next(t for block in blocks for t in block.threads if t.done)
            self.observer.diverged(waiting[0], gone, "barrier divergence", "grid_sync")
            cross_grid_barrier(waiting)
        return waiting

    def _give_up(self, spinning: list[TracedThread]) -> None:
        self.observer.diverged(spinning[0], spinning[-1], "deadlock", "while")
        for thread in spinning:
            thread.generator.close()
            thread.done = True


def _source_lane(name: str, lane: int, operands: tuple) -> int:
    """Return the lane that a shuffle reads from; its own where it reads from none."""
    shift = {
        "shfl_sync": lambda other: other % WARP_SIZE,
        "shfl_up_sync": lambda other: lane - other,
        "shfl_down_sync": lambda other: lane + other,
        "shfl_xor_sync": lambda other: lane ^ other,
    }.get(name)
    source = lane if shift is None else shift(int(operands[2]))
    return source if 0 <= source < WARP_SIZE else lane


def _argument(name: str, value: Any, initialised: bool) -> Any:
    if isinstance(value, np.ndarray) and value.ndim:
        return global_memory(name, value, initialised)
    if isinstance(value, tuple):
        return tuple(_argument(f"{name}[{i}]", one, initialised) for i, one in enumerate(value))
    if isinstance(value, np.integer):
        return int(value)
    return value
