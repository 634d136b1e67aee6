"""A launch in lockstep: which kernels it takes, how many blocks at a time, and how it is undone."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from workbench.errors import WorkbenchError
from workbench.simt.dim3 import Dim3
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.host.host_memory import check_memory
from workbench.simt.lockstep.arrays import UNDO_BYTES, Undo
from workbench.simt.lockstep.lanes import Lanes
from workbench.simt.lockstep.machine import Machine
from workbench.simt.lockstep.numbers import CannotLockstep
from workbench.simt.planning.waiting import spins
from workbench.simt.stepping.launch import has_grid_sync

LANES_AT_ONCE = 1 << 16
"""Lanes of one run of blocks: enough to hide the interpreter, few enough for the cache."""
_LANE_BYTES = 500
"""What a lane costs with some fifty names and masks alive."""
_PARTS = (ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop, ast.arguments,
          ast.arg, ast.keyword, ast.Slice, ast.FunctionDef)  # fmt: skip


class Halted(Exception):
    """The launch was told to end."""


def refusal(resolved: Resolved) -> str:
    """Return what in a kernel this tier never runs, or "" where it may try."""
    for one in (resolved, *resolved.device_functions.values()):
        for node in ast.walk(one.tree):
            found = _refused(node)
            if found:
                return f"{found} (line {getattr(node, 'lineno', one.source.first_line)})"
    return ""


def _refused(node: ast.AST) -> str:
    if spins(node):
        return "a loop that waits for another thread"
    if isinstance(node, (ast.While, ast.For)) and node.orelse:
        return "`else` after a loop"
    if isinstance(node, _PARTS):
        return ""
    name = type(node).__name__
    known = hasattr(Machine, f"_on_{name}") or hasattr(Machine, f"_of_{name}")
    return "" if known else f"a {name}"


def launch(
    resolved: Resolved,
    grid: Dim3,
    block: Dim3,
    args: tuple,
    shared_bytes: int = 0,
    poll: Callable[[], None] | None = None,
    undo_bytes: int = UNDO_BYTES,
) -> None:
    """Run every thread of a launch.

    Parameters
    ----------
    resolved : Resolved
    grid, block : Dim3
    args : tuple
        NumPy arrays and numbers.
    shared_bytes : int
        Dynamic shared memory of each block.
    poll : callable, optional
        Called at every turn of a loop; raises `Halted` to end the launch, `CannotLockstep` to
        undo it.
    undo_bytes : int
        Arrays up to this size are kept when they are first written, so that `CannotLockstep`
        leaves memory as it was; a kernel that writes to a larger one is refused.

    Raises
    ------
    KernelError
        With the thread, the line and the reason.
    CannotLockstep
        Where another tier must run it.
    Halted
        Where `poll` raised it; its text says where the threads were.
    """
    ask = poll or _go_on
    at_once = grid.count if has_grid_sync(resolved) else max(1, LANES_AT_ONCE // block.count)
    at_once = min(at_once, grid.count)
    check_memory(at_once * block.count * _LANE_BYTES, "A launch in lockstep")
    with np.errstate(all="ignore"), _undone(Undo(undo_bytes)) as undo:
        for first in range(0, grid.count, at_once):
            lanes = Lanes(grid, block, first, min(at_once, grid.count - first))
            machine = Machine(lanes, undo, shared_bytes, ask)
            try:
                ask()
                machine.run(resolved, args)
            except Halted:
                raise Halted(machine.state()) from None


@contextmanager
def _undone(undo: Undo) -> Iterator[Undo]:
    """Leave memory as it was where another tier must run the launch."""
    try:
        yield undo
    except WorkbenchError:
        raise
    except (TypeError, ValueError) as error:  # what NumPy refuses, Numba's inference explains
        undo.restore()
        raise CannotLockstep(str(error)) from error
    except CannotLockstep:
        undo.restore()
        raise


def _go_on() -> None:
    """Let the launch go on."""
