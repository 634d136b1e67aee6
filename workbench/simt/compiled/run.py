"""Running a compiled kernel: blocks over the cores, a stop that works, faults that explain.

Compiled code does not hold Python's lock. Its back edges burn fuel; when that is out they ask
`_Watch`, in which Python runs for a moment: a pending Ctrl-C or Jupyter's Stop is seen there, and a
time limit where one was set. So an endless kernel ends within a fraction of a second, and the
process stays whole.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportPrivateImportUsage=false

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numba.np.ufunc.parallel
import numpy as np
from numba.core.errors import NumbaError

from workbench.errors import StoppedError
from workbench.simt.codegen.device_functions import START_FUEL
from workbench.simt.codegen.infer import typing_error
from workbench.simt.compiled.build import Compiled
from workbench.simt.compiled.turns import Turn
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import (
    BarrierDivergenceError,
    DeadlockError,
    KernelError,
    OutOfBoundsError,
    in_thread,
)
from workbench.simt.runtime.control import Control, Fault, Stopped

_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64)
_PARALLEL_THREADS = 1 << 14
"""Launches with fewer threads stay on one core: waking another costs more."""
_SLICE_S = 0.02
_pool: ThreadPoolExecutor | None = None
_spare: list[tuple[Any, list[np.ndarray]]] = []
"""Of launches on one core that ended well: making a callback for C takes microseconds."""


class _Watch:
    """What the back edges of one launch ask.

    Attributes
    ----------
    stopped : bool
    error : BaseException or None
        What ended the launch: KeyboardInterrupt, or a limit.
    """

    def __init__(self, limit_s: float | None):
        self.callbacks: list[Any] = []
        self.start(limit_s)

    def start(self, limit_s: float | None) -> None:
        """Begin a launch."""
        self.limit_s, self.stopped = limit_s, False
        self.error: BaseException | None = None
        self.started = time.perf_counter()

    def address(self) -> int:
        """Return the address of a new C function that one worker asks."""
        answers = self._answers()
        next(answers)
        self.callbacks.append(_CALLBACK(answers.__next__))
        return ctypes.cast(self.callbacks[-1], ctypes.c_void_p).value or 0

    def _answers(self) -> Iterator[int]:
        """Yield how many back edges a worker may take next, or -1 to stop.

        A generator, because Python delivers a signal as a frame starts or resumes: a function
        would raise before its ``try`` begins, a generator resumes inside it.
        """
        grant, last = START_FUEL, time.perf_counter()
        while True:
            try:
                yield -1 if self.stopped else grant
                now = time.perf_counter()
                if self.limit_s is not None and now - self.started > self.limit_s:
                    self.stop(_limit_error(self.limit_s))
                took, last = max(now - last, 1e-6), now
                grant = int(min(max(grant * _SLICE_S / took, 1 << 12), 1 << 26))
            except GeneratorExit:
                return
            except BaseException as error:  # Ctrl-C arrives here, in the main thread
                self.stop(error)

    def stop(self, error: BaseException) -> None:
        """Make every worker leave at its next back edge."""
        self.stopped, self.error = True, self.error or error


def _limit_error(limit_s: float) -> StoppedError:
    return StoppedError(
        "The kernel was stopped by its time limit.",
        f"it ran for more than {limit_s:g} s",
        "look for a loop that never ends, or raise the limit: cuda.set_time_limit(seconds)",
    )


def cores() -> int:
    """Return how many cores a launch may use: what `numba.set_num_threads` allows.

    Asked without starting Numba's own threads where nobody has yet: Numba's OpenMP layer sets the
    number of OpenMP threads of the whole process when it starts, PyTorch's included.
    """
    started = numba.np.ufunc.parallel._is_initialized
    return numba.get_num_threads() if started else numba.config.NUMBA_NUM_THREADS


def _workers() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, numba.config.NUMBA_NUM_THREADS - 1), "simt")
    return _pool


def run(
    compiled: Compiled,
    grid: Dim3,
    args: tuple,
    extra: tuple = (),
    shared_bytes: int = 0,
    limit_s: float | None = None,
    workers: int | None = None,
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
        except NumbaError as error:  # the launch is also where Numba compiles
            watch.stop(typing_error(error))
        except Exception as error:  # the kernel's own
            thread = thread_of(int(controls[k][Control.THREAD]), compiled.block)
            block = thread_of(int(controls[k][Control.BLOCK]), tuple(grid))
            watch.stop(in_thread(error, thread, block))
        except BaseException as error:
            watch.stop(error)

    with Turn(compiled.module.has_atomics, workers == 1) as alone:
        controls[0][Control.ALONE] = alone
        waiting = [_workers().submit(work, k) for k in range(1, workers)]
        work(0)
        for one in waiting:
            _wait(one, watch)
    for control in controls:
        if control[Control.FAULT]:
            raise fault_error(compiled, grid, control)
    if watch.error is not None:
        raise watch.error
    if workers == 1:
        _spare.append((watch, controls))


def _watched(workers: int, limit_s: float | None) -> tuple[_Watch, list[np.ndarray]]:
    """Return a watch and a control block for each worker: of an earlier launch, if one is free."""
    if workers == 1 and _spare:
        watch, controls = _spare.pop()
        watch.start(limit_s)
        return watch, controls
    watch = _Watch(limit_s)
    return watch, [_control(watch) for _ in range(workers)]


def _wait(future: Any, watch: _Watch) -> None:
    while True:
        try:
            future.result()
            return
        except KeyboardInterrupt as error:
            watch.stop(error)


def _control(watch: _Watch) -> np.ndarray:
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


def in_background() -> bool:
    """Return whether this is not the main thread, where Ctrl-C arrives."""
    return threading.current_thread() is not threading.main_thread()
