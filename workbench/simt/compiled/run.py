"""Running a compiled kernel: blocks over the cores, a stop that works, faults that explain.

Compiled code runs on launcher threads (launcher.py) and does not hold Python's lock. Its back edges
burn fuel; when that is out they ask the launch's `Watch`, which a Ctrl-C, Jupyter's Stop or a time
limit has set by then. So an endless kernel ends within a fraction of a second, says where its
threads were, and the process stays whole.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numba.np.ufunc.parallel
import numpy as np
from numba.core.errors import NumbaError

from workbench.simt.codegen.infer import typing_error
from workbench.simt.compiled.build import Compiled
from workbench.simt.compiled.turns import Turn
from workbench.simt.compiled.watch import Watch
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import (
    BarrierDivergenceError,
    DeadlockError,
    KernelError,
    OutOfBoundsError,
    in_thread,
)
from workbench.simt.host import launcher
from workbench.simt.runtime.control import Control, Fault, Stopped

_PARALLEL_THREADS = 1 << 14
"""Launches with fewer threads stay on one core: waking another costs more."""
_spare: list[tuple[Any, list[np.ndarray]]] = []
"""Of launches on one core that ended well: making a callback for C takes microseconds."""


def cores() -> int:
    """Return how many cores a launch may use: what `numba.set_num_threads` allows.

    Asked without starting Numba's own threads where nobody has yet: Numba's OpenMP layer sets the
    number of OpenMP threads of the whole process when it starts, PyTorch's included.
    """
    started = numba.np.ufunc.parallel._is_initialized
    return numba.get_num_threads() if started else numba.config.NUMBA_NUM_THREADS


def run(
    compiled: Compiled,
    grid: Dim3,
    args: tuple,
    extra: tuple = (),
    shared_bytes: int = 0,
    limit_s: float | None = None,
    workers: int | None = None,
    inline: bool = False,
    state: Callable[[], str] | None = None,
) -> None:
    """Run every block of a launch.

    Parameters
    ----------
    compiled : Compiled
    grid : Dim3
    args : tuple
        The kernel's arguments: NumPy arrays and numbers.
    extra : tuple
        The mode's arguments.
    shared_bytes : int
        Dynamic shared memory of each block.
    limit_s : float, optional
        Seconds after which the launch is stopped.
    workers : int, optional
        Cores to use; by default Numba's number of threads, and one for small launches.
    inline : bool
        Run in the calling thread, with its launchers only helping: for launches known to be short.
    state : callable, optional
        Says where the threads of a stopped launch stood, for code that knows better.

    Raises
    ------
    KernelError
        Naming the thread, the line and the index.
    StoppedError, KeyboardInterrupt
        Where the launch was stopped.
    """
    threads = compiled.block[0] * compiled.block[1] * compiled.block[2]
    if workers is None:
        workers = cores() if grid.count * threads >= _PARALLEL_THREADS else 1
    workers = max(1, min(workers, grid.count))
    bounds = [grid.count * k // workers for k in range(workers + 1)]
    watch, controls = _watched(workers, limit_s)
    base = (*args, *compiled.module.hidden.values(), *extra, *grid)

    def work(k: int) -> None:
        try:
            compiled.function(*base, bounds[k], bounds[k + 1], shared_bytes, controls[k])
        except Stopped:
            watch.stopped = True
        except BaseException as error:
            watch.stop(_explained(error, compiled, grid, controls[k]))

    turn = Turn(compiled.module.has_atomics, workers == 1, watch.asks)

    def first() -> None:
        with turn as alone:
            controls[0][Control.ALONE] = alone
            work(0)

    jobs = [first, *(partial(work, k) for k in range(1, workers))]
    try:
        launcher.perform(jobs, watch.stop, inline)
    except launcher.StillRunning:
        raise watch.left_alone() from None
    _raise_what_ended(
        compiled, grid, watch, controls, state or partial(_state, compiled, grid, controls, bounds)
    )
    if workers == 1:
        _spare.append((watch, controls))


def _explained(
    error: BaseException, compiled: Compiled, grid: Dim3, control: np.ndarray
) -> BaseException:
    """Return the error in the learner's words: the compiler's, or the kernel's own."""
    if isinstance(error, NumbaError):  # the launch is also where Numba compiles
        return typing_error(error)
    if isinstance(error, Exception):
        thread = thread_of(int(control[Control.THREAD]), compiled.block)
        return in_thread(error, thread, thread_of(int(control[Control.BLOCK]), tuple(grid)))
    return error


def _raise_what_ended(
    compiled, grid: Dim3, watch: Watch, controls: list, state: Callable[[], str]
) -> None:
    for control in controls:
        if control[Control.FAULT] and control[Control.FAULT] != Fault.STOPPED:
            raise fault_error(compiled, grid, control)
    if watch.error is not None:
        raise watch.ended(state())


def _state(compiled: Compiled, grid: Dim3, controls: list, bounds: list[int]) -> str:
    """Return where the threads of a stopped launch stood.

    A worker takes its blocks in order, and between two barriers the threads of a block in order.
    """
    found = []
    for k, control in enumerate(controls):
        if control[Control.FAULT] != Fault.STOPPED:
            continue
        number, thread = int(control[Control.BLOCK]), int(control[Control.THREAD])
        line, block = int(control[Control.SITE]), thread_of(number, tuple(grid))
        done, to_come = number - bounds[k], bounds[k + 1] - number - 1
        who = f"thread {thread_of(thread, compiled.block)}" if thread >= 0 else "every thread"
        rest = [f"{done} blocks before it had ended"] * bool(done)
        rest += [f"{to_come} blocks had not begun"] * bool(to_come)
        found.append(", ".join([f"{who} of block {block} was at line {line}", *rest]))
    return "; ".join(found) or "no thread was inside a loop"


def _watched(workers: int, limit_s: float | None) -> tuple[Watch, list[np.ndarray]]:
    """Return a watch and a control block for each worker: of an earlier launch, if one is free."""
    if workers == 1 and _spare:
        watch, controls = _spare.pop()
        watch.start(limit_s)
        return watch, controls
    watch = Watch(limit_s)
    return watch, [_control(watch) for _ in range(workers)]


def _control(watch: Watch) -> np.ndarray:
    control = np.zeros(Control.SIZE, np.int64)
    control[Control.CALLBACK] = watch.address()
    return control


def thread_of(linear: int, block: tuple) -> tuple[int, int, int]:
    """Return a thread's index from its number in the block."""
    x, y, _ = block
    return linear % x, linear // x % y, linear // (x * y)


def out_of_bounds(
    thread: tuple, block: tuple, line: int, text: str, index: int, axis: int, extent: int
) -> OutOfBoundsError:
    """Return the error for an index beyond an array, in the same words for every tier."""
    return OutOfBoundsError(
        "A thread used an index beyond an array.",
        f"thread {thread} of block {block} at line {line}: {text}: index {index} is out of "
        f"bounds for axis {axis} with size {extent}",
        "guard the access: `if i < a.size:`",
    )


def fault_error(compiled: Compiled, grid: Dim3, control: np.ndarray) -> KernelError:
    """Return the error that a control block describes."""
    block_index = thread_of(int(control[Control.BLOCK]), tuple(grid))
    who = f"thread {thread_of(int(control[Control.THREAD]), compiled.block)} of block {block_index}"
    kind = Fault(int(control[Control.FAULT]))
    number = int(control[Control.SITE])
    if kind is Fault.OUT_OF_BOUNDS:
        site = compiled.module.sites[number - 1]
        thread = thread_of(int(control[Control.THREAD]), compiled.block)
        index, axis = int(control[Control.INDEX]), int(control[Control.AXIS])
        extent = int(control[Control.EXTENT])
        return out_of_bounds(thread, block_index, site["line"], site["text"], index, axis, extent)
    if kind is Fault.BARRIER_DIVERGENCE:
        other = thread_of(int(control[Control.OTHER]), compiled.block)
        return BarrierDivergenceError(
            "Some threads wait at a barrier that others of their block never reach.",
            f"{who} waits at line {number}; thread {other} does not",
            "move the barrier out of the branch, so that all threads of the block reach it",
        )
    if kind is Fault.RECURSION:
        return KernelError(
            "A device function called itself without end.",
            f"{who}, line {number}",
            "give the recursion a condition that ends it",
        )
    return DeadlockError("Threads wait for each other for ever.", who, "look at the loop")
