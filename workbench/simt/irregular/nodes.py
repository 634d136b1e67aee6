"""What this tier adds to the normal form: functions that return from anywhere, and jumps.

Every path through a state ends in a jump or in `End`.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from typing import Any

from workbench.simt.frontend.normal_form import Sync


class Inlined(ast.stmt):
    """A device function's body in place of its call; `LeaveInlined` is its ``return``."""

    _fields = ("body",)
    label: str


class LeaveInlined(ast.stmt):
    """Go to the end of the `Inlined` of the same `label`."""

    _fields = ()
    label: str


class Jump(ast.stmt):
    """What a state ends with; `target` is the state that comes next."""

    _fields = ()
    target: int
    stored: frozenset[str] = frozenset()


class Goto(Jump):
    """Go on at once."""


class Back(Jump):
    """Go back to the head of a loop: at once, or in the thread's next turn after some rounds."""


class Still(Jump):
    """Wait for memory that another thread writes: look again in the next turn."""


class Suspend(Jump):
    """Wait at a barrier or warp operation, whose statement is `sync`."""

    _fields = ("args",)
    sync: Sync
    args: list


class End(ast.stmt):
    """The thread has returned."""

    _fields = ()


class Received(ast.expr):
    """What a thread receives from the `sync` that it waited at."""

    _fields = ()
    sync: Sync


def jump_to(kind: type, target: int) -> Any:
    """Return a jump of a kind to a state."""
    jump = kind()
    jump.target = target
    jump.lineno, jump.col_offset = 0, 0
    return jump


def copy_of(jump: ast.stmt) -> ast.stmt:
    """Return another jump to the same place."""
    if isinstance(jump, End):
        return End()
    return jump_to(type(jump), jump.target)


def jumps(body: list[ast.stmt]) -> list[Any]:
    """Return what the paths through a state end with."""
    last = body[-1]
    if isinstance(last, ast.If):
        return [*jumps(last.body), *jumps(last.orelse)]
    return [last]
