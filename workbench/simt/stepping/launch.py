"""The step-through tier: every thread is a Python generator, so pdb works inside a kernel.

The kernel's own lines run, with their own numbers, in the main thread: ``breakpoint()`` in a kernel
stops there. Threads take turns at barriers, at warp operations and at the back edge of every
``while``, so spin locks and producer-consumer flags make progress. It is the tier that can run
anything, and by far the slowest: use it on tiny launches.

Numbers follow NumPy's promotion, with narrow integers widened as they are loaded; the compiled
tiers follow Numba's. They differ by roundings of float32 against Python's float constants.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import ast
import itertools
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import psutil

from workbench.errors import StoppedError
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import KernelError, OutOfBoundsError, in_thread
from workbench.simt.frontend.ambient import OpaqueThread
from workbench.simt.frontend.resolved import Intrinsic, Resolved
from workbench.simt.host.host_memory import check_memory
from workbench.simt.stepping.groups import Running, release, stuck
from workbench.simt.stepping.program import generator_function
from workbench.simt.stepping.thread import Thread

_THREAD_BYTES = 3000
"""What a thread in flight costs: its generator, frame and indices (measured, CPython 3.11)."""
_STUCK_ROUNDS = 2000
"""Rounds in which resident threads only spin before the next block is started beside them."""


def launch(
    resolved: Resolved | Any,
    grid: Dim3,
    block: Dim3,
    args: tuple,
    shared_bytes: int = 0,
    poll: Any = None,
) -> None:
    """Run every thread of a launch, step by step.

    Parameters
    ----------
    resolved : Resolved or callable
        A callable is a Python function without source, run as it is.
    grid, block : Dim3
    args : tuple
        NumPy arrays and scalars.
    shared_bytes : int
        Dynamic shared memory of each block.
    poll : callable, optional
        Called once a round; raises to end the launch.

    Raises
    ------
    KernelError
        With the thread, the line and the reason.
    """
    start = _starter(resolved)
    blocks = _blocks(start, grid, block, args, shared_bytes)
    resident: list[Running] = []
    spinning = 0
    whole_grid = isinstance(resolved, Resolved) and has_grid_sync(resolved)
    with np.errstate(all="ignore"), _told_where(resident):
        if whole_grid:
            check_memory(
                grid.count * block.count * _THREAD_BYTES, "A launch with every block alive"
            )
            resident += itertools.chain.from_iterable(blocks)
        while True:
            if not resident or spinning > _STUCK_ROUNDS:
                more = next(blocks, None)
                if more is None and not resident:
                    return
                resident += more or []
                spinning = 0
            if poll is not None:
                poll()
            stepped = [_step(one) for one in resident if one.request is None]
            resident[:] = [one for one in resident if not one.done]
            released = release(resident)
            spinning = spinning + 1 if not released and all(x == "spun" for x in stepped) else 0
            if resident and not stepped and not released:
                more = None if not _waits_for_grid(resident) else next(blocks, None)
                if more is None:
                    raise stuck(resident)
                resident += more


@contextmanager
def _told_where(resident: list[Running]) -> Iterator[None]:
    """Add to what stops a launch where its threads were."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"The kernel was stopped: {_places(resident)}.") from None
    except StoppedError as error:
        saw = f"{error.saw}; {_places(resident)}"
        raise StoppedError(error.happened, saw, error.advice) from None


def _places(resident: list[Running]) -> str:
    if not resident:
        return "no thread was under way"
    rest = f" and {len(resident) - 4} more" if len(resident) > 4 else ""
    return "; ".join(f"{one.thread.describe()}{one.line}" for one in resident[:4]) + rest


def deadline(limit_s: float | None):
    """Return a `poll` that ends a launch after `limit_s` seconds, or None where there is none."""
    if limit_s is None:
        return None
    end = time.monotonic() + limit_s

    def poll() -> None:
        if time.monotonic() > end:
            raise StoppedError(
                "The kernel was stopped by its time limit.",
                f"it ran for more than {limit_s:g} s",
                "look for a loop that never ends, or raise the limit",
            )

    return poll


def _waits_for_grid(resident: list[Running]) -> bool:
    return any(one.request and one.request.kind == "grid" for one in resident)


def max_resident_blocks(block: Dim3) -> int:
    """Return how many blocks may be in flight at once, by the memory that is free."""
    free = psutil.virtual_memory().available
    return max(1, int(0.5 * free) // (block.count * _THREAD_BYTES))


def has_grid_sync(resolved: Resolved) -> bool:
    """Return whether a kernel has a barrier over the whole grid."""
    trees = [resolved.tree, *(one.tree for one in resolved.device_functions.values())]
    return any(
        isinstance(node, Intrinsic) and node.intrinsic.kind == "grid"
        for tree in trees
        for node in ast.walk(tree)
    )


def _starter(resolved: Any) -> Any:
    """Return ``start(thread, args)``, which gives a generator or what behaves like one."""
    if not isinstance(resolved, Resolved):
        return lambda thread, args: OpaqueThread(resolved, thread, args)
    function = generator_function(resolved)
    return lambda thread, args: function(thread, *args)


def _blocks(start, grid, block, args, shared_bytes) -> Iterator[list[Running]]:
    for block_index in grid.indices():
        memory: dict[str, Any] = {}
        threads = (
            Thread(thread_index, block_index, grid, block, memory, shared_bytes)
            for thread_index in block.indices()
        )
        yield [Running(thread, start(thread, args)) for thread in threads]


def _step(one: Running) -> str:
    try:
        request = one.generator.send(one.result) if one.result is not None else next(one.generator)
    except StopIteration:
        one.done = True
        return "ended"
    except IndexError as error:
        raise _out_of_bounds(one, error) from error
    except KernelError:
        raise
    except Exception as error:
        raise in_thread(error, one.thread.tid, one.thread.ctaid) from error
    one.result = None
    one.request = request
    return "spun" if request is None else "waits"


def _out_of_bounds(one: Running, error: IndexError) -> OutOfBoundsError:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return OutOfBoundsError(
        "A thread used an index beyond an array.",
        f"{one.thread.describe()} at line {frame.lineno}: {frame.line}: {error}",
        "guard the access: `if i < a.size:`",
    )
