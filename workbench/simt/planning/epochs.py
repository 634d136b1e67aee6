"""Where block barriers stand around each region: before it on every way in, after it on every way.

Between two barriers a block is in one *epoch*. A region that comes first in its epoch meets nothing
that is unordered with it; one that comes last leaves nothing that anybody could still meet.
"""

# Numba is not typed, and the nodes of a plan differ.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from dataclasses import dataclass

from workbench.simt.planning.nodes import (
    Branch,
    LeaveIfNone,
    Loop,
    Meeting,
    Region,
    Uniform,
    WhenAny,
)


@dataclass
class Epoch:
    """A region's place in its epoch.

    Attributes
    ----------
    first, last : bool
        Whether no other region (and no other turn of itself) comes before it, or after it.
    """

    first: bool = True
    last: bool = True


def epochs(nodes: list) -> dict[int, Epoch]:
    """Return the `Epoch` of each region of a plan, by ``id(region)``."""
    found: dict[int, Epoch] = {}
    for side in ("first", "last"):
        _walk(nodes, True, side, found)
    return found


def _walk(nodes: list, clear: bool, side: str, found: dict[int, Epoch]) -> bool:
    """Walk onwards to find who is first, backwards to find who is last; return `clear` at the end.

    `clear` says whether a barrier, and nothing since, lies where the walk comes from.
    """
    for node in nodes if side == "first" else reversed(nodes):
        if isinstance(node, Region):
            epoch = found.setdefault(id(node), Epoch())
            setattr(epoch, side, getattr(epoch, side) and clear)
            clear = False
        elif _is_barrier(node):
            clear = True
        elif isinstance(node, Branch):
            both = [_walk(body, clear, side, found) for body in (node.body, node.orelse)]
            clear = all(both)
        elif isinstance(node, WhenAny):
            clear &= _walk(node.body, clear, side, found)
        elif isinstance(node, Loop):
            clear &= not _jumps(node.body)
            clear &= _walk(node.body, clear, side, found)
            _walk(node.body, clear, side, found)
    return clear


def _is_barrier(node: object) -> bool:
    return isinstance(node, Meeting) and node.mask is None and node.sync.intrinsic.kind == "block"


def _jumps(nodes: list) -> bool:
    """Return whether a loop's body may be left, or begun again, in its middle."""
    for node in nodes:
        if isinstance(node, LeaveIfNone):
            return True
        if isinstance(node, Uniform) and any(
            isinstance(part, (ast.Break, ast.Continue)) for part in ast.walk(node.statement)
        ):
            return True
        inner = [*getattr(node, "body", []), *getattr(node, "orelse", [])]
        if not isinstance(node, (Region, Uniform)) and _jumps(inner):
            return True
    return False
