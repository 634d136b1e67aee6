"""Which launches are known to be short, so that handing them to a launcher thread would not pay.

A kernel's control is *given* where which turns its loops take follows from the grid, the shapes of
its arrays and its numbers alone, and never from what memory holds. Then a launch that took a
millisecond takes about that long whenever these are the same, and may run in the thread that
launches: nobody will want to stop it. Loops that memory can lengthen go to a launcher every time.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from workbench.simt.frontend.intrinsics import BITS
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Resolved
from workbench.simt.planning.analysis import ESCAPES, reads, writes

SHORT_S = 2e-3
"""Handing over costs 3 % of it at most."""
_MOST_KEYS = 1000
_COMPUTED = ("grid", "gridsize", *(name for name in BITS if name != "nanosleep"))
_LOOPS = (ast.For, ast.While)
_HIDDEN_LOOPS = (ast.comprehension, ast.With, ast.Try, ast.Match)


class Pace:
    """What is known about the launches of one specialisation.

    Parameters
    ----------
    resolved : Resolved
    """

    def __init__(self, resolved: Resolved):
        steering = control_of(resolved)
        self.given = steering is not None
        parameters = resolved.source.parameters
        self.numbers = [k for k, name in enumerate(parameters) if name in (steering or ())]
        self.short: set[Any] = set()

    def key(self, grid: Any, args: tuple, shared_bytes: int) -> Any:
        """Return what decides how long a launch takes, or None where memory does."""
        if not self.given:
            return None
        shapes = [value.shape for value in args if isinstance(value, np.ndarray)]
        numbers = [args[k] for k in self.numbers if not isinstance(args[k], np.ndarray)]
        return (grid, *shapes, *numbers, shared_bytes)

    def took(self, key: Any, seconds: float) -> None:
        """Note how long a launch took."""
        if key is not None and seconds < SHORT_S and len(self.short) < _MOST_KEYS:
            self.short.add(key)


def control_of(resolved: Resolved) -> set[str] | None:
    """Return the names that decide which turns loops take, or None where memory may."""
    found = _Control(resolved, [])
    return found.names if found.given else None


class _Control:
    """The expressions that a function's loops depend on, found backwards from their heads."""

    def __init__(self, resolved: Resolved, callers: list[Resolved]):
        self.names: set[str] = set()
        self.given = resolved not in callers
        self.inner: dict[int, _Control] = {}
        self.loops = True
        if not self.given:  # it calls itself
            return
        for callee in _callees(resolved.tree):
            inner = _Control(callee, [*callers, resolved])
            self.inner[id(callee)] = inner
            self.given = self.given and inner.given
        self.loops = self._loops_in(resolved.tree.body)
        before = -1
        while self.given and len(self.names) != before:
            before = len(self.names)
            self._walk(resolved.tree.body, [])

    def _loops_in(self, nodes: Any) -> bool:
        return any(
            isinstance(part, (*_LOOPS, *_HIDDEN_LOOPS))
            or (isinstance(part, DeviceCall) and self.inner[id(part.function)].loops)
            for node in nodes
            for part in ast.walk(node)
        )

    def _walk(self, body: list[ast.stmt], tests: list[ast.expr]) -> None:
        for statement in body:
            self._calls(statement)
            if isinstance(statement, ast.If):
                inside = [*statement.body, *statement.orelse]
                if self._loops_in(inside) or (self.loops and _leaves(inside)):
                    self._depends(statement.test)
                self._walk(inside, [*tests, statement.test])
            elif isinstance(statement, _LOOPS):
                self._depends(statement.iter if isinstance(statement, ast.For) else statement.test)
                self._walk([*statement.body, *statement.orelse], tests)
            elif writes(statement) & self.names:
                for one in (getattr(statement, "value", None), *tests):
                    self._depends(one)

    def _calls(self, statement: ast.stmt) -> None:
        for part in ast.walk(statement):
            if isinstance(part, _HIDDEN_LOOPS):
                self.given = False
            if isinstance(part, DeviceCall):
                steering = self.inner[id(part.function)].names
                given = zip(part.function.source.parameters, part.args, strict=False)
                words = ((word.arg, word.value) for word in part.keywords)
                for name, value in (*given, *words):
                    if name in steering:
                        self._depends(value)

    def _depends(self, node: ast.expr | None) -> None:
        if node is None:
            return
        self.names |= reads(node)
        for part in ast.walk(node):
            is_load = isinstance(part, ast.Subscript) and hasattr(part, "site")
            unknown = isinstance(part, Intrinsic) and part.intrinsic.name not in _COMPUTED
            if is_load or unknown or isinstance(part, DeviceCall):
                self.given = False


def _leaves(body: list[ast.stmt]) -> bool:
    return any(isinstance(part, ESCAPES) for one in body for part in ast.walk(one))


def _callees(tree: ast.AST) -> list[Resolved]:
    return [part.function for part in ast.walk(tree) if isinstance(part, DeviceCall)]
