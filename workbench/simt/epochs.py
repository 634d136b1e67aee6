"""Where block barriers stand around each region: before it on every way in, after it on every way.

Between two barriers a block is in one *epoch*. A region that comes first in its epoch meets nothing
that is unordered with it; one that comes last leaves nothing that anybody could still meet.
"""

# Numba is not typed, and the nodes of a plan differ.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from dataclasses import dataclass

from workbench.simt.plan_nodes import Branch, LeaveIfNone, Loop, Meeting, Region, Uniform, WhenAny


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
    _forward(nodes, True, found)
    _backward(nodes, True, found)
    return found


def _forward(nodes: list, fresh: bool, found: dict[int, Epoch]) -> bool:
    """Walk in order; `fresh` says whether a barrier lies behind. Return it at the end."""
    for node in nodes:
        if isinstance(node, Region):
            found.setdefault(id(node), Epoch()).first &= fresh
            fresh = False
        elif _is_barrier(node):
            fresh = True
        elif isinstance(node, Branch):
            both = [_forward(body, fresh, found) for body in (node.body, node.orelse)]
            fresh = all(both)
        elif isinstance(node, WhenAny):
            fresh &= _forward(node.body, fresh, found)
        elif isinstance(node, Loop):
            fresh &= not _jumps(node.body)
            fresh &= _forward(node.body, fresh, found)
            _forward(node.body, fresh, found)
    return fresh


def _backward(nodes: list, final: bool, found: dict[int, Epoch]) -> bool:
    """Walk backwards; `final` says whether a barrier lies ahead. Return it at the beginning."""
    for node in reversed(nodes):
        if isinstance(node, Region):
            found.setdefault(id(node), Epoch()).last &= final
            final = False
        elif _is_barrier(node):
            final = True
        elif isinstance(node, Branch):
            both = [_backward(body, final, found) for body in (node.body, node.orelse)]
            final = all(both)
        elif isinstance(node, WhenAny):
            final &= _backward(node.body, final, found)
        elif isinstance(node, Loop):
            final &= not _jumps(node.body)
            final &= _backward(node.body, final, found)
            _backward(node.body, final, found)
    return final


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
