"""What every thread of a block held at every barrier: the record behind the `LaunchView` widget."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.simt.dim3 import Dim3
from workbench.simt.frontend.intrinsics import BLOCK_SYNC
from workbench.simt.host.arguments import prepare
from workbench.simt.kernel import Launch
from workbench.simt.trace.arrays import TracedArray
from workbench.simt.trace.observer import Observer
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import Block, TraceLaunch, Tracer
from workbench.simt.trace.thread import TracedThread

MOST_THREADS = 4096


@dataclass
class ThreadState:
    """One thread at one moment.

    Attributes
    ----------
    line : int
        Where it waits, or left the kernel; 0 at the end of the kernel.
    done : bool
    values : dict of str to number or numpy.ndarray
        Its local variables, copies of its local arrays among them.
    """

    line: int
    done: bool
    values: dict[str, Any]


@dataclass
class Epoch:
    """A block at one barrier, or at its end.

    Attributes
    ----------
    name : str
        ``"syncthreads"``, ..., or ``"end"``.
    line : int
        Line of the barrier; 0 at the end.
    threads : list of ThreadState
        By linear index.
    shared : dict of str to numpy.ndarray
        Copies of the shared arrays.
    """

    name: str
    line: int
    threads: list[ThreadState]
    shared: dict[str, np.ndarray]


@dataclass
class LaunchHistory:
    """What happened in some blocks of a launch.

    Attributes
    ----------
    kernel, path : str
    grid, block : Dim3
    epochs : dict of int to list of Epoch
        By linear index of the block.
    """

    kernel: str
    path: str
    grid: Dim3
    block: Dim3
    epochs: dict[int, list[Epoch]] = field(default_factory=dict)


def watch(launch: Launch, *arguments: Any, blocks: tuple[int, ...] = ()) -> LaunchHistory:
    """Run a small launch and keep what every thread held at every barrier.

    Parameters
    ----------
    launch : Launch
        A configured kernel: ``kernel[grid, block]``, of at most 4,096 threads.
    *arguments
        As for a launch. Outputs are written as by a launch.
    blocks : tuple of int
        Linear indices of the blocks to keep; all of them by default.

    Raises
    ------
    InputError
        Where `launch` is not a configured kernel, or too large to be kept.
    """
    if not isinstance(launch, Launch):
        raise InputError(
            "Only a configured kernel can be watched.",
            f"a {type(launch).__name__}",
            "watch(kernel[blocks, threads], *arguments)",
        )
    threads = launch.grid.count * launch.block.count
    if threads > MOST_THREADS:
        raise InputError(
            "The launch is too large to keep what every thread held.",
            f"{threads} threads, at most {MOST_THREADS}",
            "launch fewer blocks",
        )
    resolved = launch.kernel.resolved
    history = LaunchHistory(
        launch.kernel.__name__, resolved.source.file_name, launch.grid, launch.block
    )
    task = TraceLaunch(launch.grid, launch.block, prepare(resolved, arguments), launch.shared_bytes)
    program = Program(resolved, remember=True)
    Tracer(program, task, _Historian(history, frozenset(blocks))).run()
    return history


class _Historian(Observer):
    def __init__(self, history: LaunchHistory, blocks: frozenset[int]):
        self.history, self.blocks = history, blocks
        self.last: dict[int, dict[str, Any]] = {}

    def wait(self, threads, name):
        """Keep a block that meets at a barrier."""
        if name in BLOCK_SYNC or name == "grid_sync":
            for home in dict.fromkeys(thread.home for thread in threads):
                self._keep(home, name, threads[0].request[1].line)

    def thread_ends(self, thread, names):
        """Keep what a thread held when it left."""
        self.last[thread.thread] = _values(names)

    def block_ends(self, block):
        """Keep the end of a block."""
        self._keep(block, "end", 0)

    def _keep(self, home: Block, name: str, line: int) -> None:
        if self.blocks and home.linear not in self.blocks:
            return
        states = [self._state(thread) for thread in home.threads]
        shared = {one.memory.name: one.data.copy() for one in home.shared.values()}
        self.history.epochs.setdefault(home.linear, []).append(Epoch(name, line, states, shared))

    def _state(self, thread: TracedThread) -> ThreadState:
        if thread.done:
            line = thread.left.line if thread.left is not None else 0
            return ThreadState(line, True, self.last.get(thread.thread, {}))
        frame = thread.generator.gi_frame
        return ThreadState(thread.request[1].line, False, _values(frame.f_locals))


def _values(names: dict[str, Any]) -> dict[str, Any]:
    kept = {name: _kept(value) for name, value in names.items() if not name.startswith("_")}
    return {name: value for name, value in kept.items() if value is not None}


def _kept(value: Any) -> Any:
    """Return a number, or a copy of a thread's own array; None for anything else."""
    if isinstance(value, (bool, int, float, complex, np.generic)):
        return value
    is_own = isinstance(value, TracedArray) and value.memory.space == "local"
    return value.data.copy() if is_own else None
