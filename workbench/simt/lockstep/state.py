"""What a lockstep launch knows as it runs: functions in progress, names in them, masks.

A mask is a boolean vector over all lanes. Masks that hold the same lanes are, where it can be
seen cheaply, the same object, so that "nobody is missing" is a comparison of two addresses.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.simt.frontend.resolved import Resolved
from workbench.simt.frontend.source import MISSING
from workbench.simt.lockstep.arrays import Undo, View
from workbench.simt.lockstep.lanes import Lanes
from workbench.simt.lockstep.numbers import choose

Mask = np.ndarray


@dataclass
class Frame:
    """One function in progress.

    Attributes
    ----------
    resolved : Resolved
    names : dict
        Name -> (value, the lanes for which it means something).
    result : object
        What lanes that have returned return.
    loops : list
        For each open loop the lanes that broke out of it and those that go on with its next turn.
    """

    resolved: Resolved
    names: dict[str, tuple[Any, Mask]] = field(default_factory=dict)
    result: Any = None
    loops: list[list[Mask | None]] = field(default_factory=list)


class State:
    """The memory, names and masks of one kernel over some lanes.

    Parameters
    ----------
    lanes : Lanes
    undo : Undo
    shared_bytes : int
        Dynamic shared memory of each block.
    poll : callable
        Called at every turn of a loop; raises to end the launch.
    """

    def __init__(self, lanes: Lanes, undo: Undo, shared_bytes: int, poll: Any):
        self.lanes, self.undo, self.shared_bytes, self.poll = lanes, undo, shared_bytes, poll
        self.memory: dict[Any, View] = {}
        self.live = lanes.full
        self.frames: list[Frame] = []

    @property
    def frame(self) -> Frame:
        """The function in progress."""
        return self.frames[-1]

    def meaning(self, node: ast.AST) -> Any:
        """Return the Python object that a free name, or an attribute of one, means."""
        if isinstance(node, ast.Attribute):
            owner = self.meaning(node.value)
            return MISSING if owner is MISSING else getattr(owner, node.attr, MISSING)
        if not isinstance(node, ast.Name) or node.id in self.frame.names:
            return MISSING
        return self.frame.resolved.source.lookup(node.id)

    # -- masks

    def split(self, mask: Mask, condition: Any) -> tuple[Mask | None, Mask | None]:
        """Return the lanes of a mask where a condition holds, and the others."""
        if not condition.ndim:
            return (mask, None) if condition else (None, mask)
        holds = condition if mask is self.lanes.full else mask & condition
        count = np.count_nonzero(holds)
        if count == 0:
            return None, mask
        if count == np.count_nonzero(mask):
            return mask, None
        return holds, mask & ~holds

    def join(self, whole: Mask, *parts: Mask | None) -> Mask | None:
        """Return the union of masks that lie in `whole`: that very object where it is all of it."""
        found = [part for part in parts if part is not None]
        if not found:
            return None
        union = found[0]
        for part in found[1:]:
            union = union if part is union else union | part
        if union is whole or np.count_nonzero(union) == np.count_nonzero(whole):
            return whole
        return union

    def bind(self, name: str, value: Any, mask: Mask) -> None:
        """Give a name its value in the lanes of a mask."""
        names = self.frame.names
        before = names.get(name)
        if before is None or before[1] is mask or mask is self.lanes.full:
            names[name] = (value, mask)
            return
        old, owned = before
        if not (owned & ~mask).any():
            names[name] = (value, mask)
            return
        union = owned | mask
        names[name] = (choose(mask, value, old), self.lanes.full if union.all() else union)
