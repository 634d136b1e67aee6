"""Which loops wait for another thread: others must run before such a loop can end.

A loop may wait where whether it goes on depends on memory: a flag that is read, a lock that is
taken. Only ``while`` loops do; a ``for`` ends by itself. Two answers, for two uses: `may_wait` is
never wrong with "no", and a binary search may wait; `spins` is sure that a loop looks at the same
element again and again and changes nothing that decides.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace

from workbench.simt.frontend.intrinsics import CACHE_LOADS
from workbench.simt.frontend.normal_form import Sync, deepcopy_tree
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Resolved
from workbench.simt.planning.analysis import reads, writes
from workbench.simt.planning.proofs import loop_ends, waits_for_memory


class _Decision:
    """What decides whether a loop goes on: its tests, and the assignments they depend on."""

    def __init__(self, loop: ast.While):
        self.nodes: list[ast.AST] = [loop.test]
        self.assigned: list[tuple[ast.stmt, tuple[ast.AST, ...]]] = []
        self._collect(loop.body, ())
        names = {name for node in self.nodes for name in reads(node)}
        while True:
            more = [
                part
                for statement, guards in self.assigned
                if writes(statement) & names
                for part in (statement, *guards)
                if part not in self.nodes
            ]
            if not more:
                return
            self.nodes += more
            names |= {name for node in more for name in reads(node)}

    def _collect(self, body: list[ast.stmt], guards: tuple) -> None:
        for statement in body:
            if isinstance(statement, (ast.Break, ast.Return)):
                self.nodes += guards
            elif isinstance(statement, ast.If):
                for branch in (statement.body, statement.orelse):
                    self._collect(branch, (*guards, statement.test))
            elif isinstance(statement, ast.For):
                target = ast.copy_location(
                    ast.Assign([statement.target], statement.iter), statement
                )
                self.assigned.append((target, (*guards, statement.iter)))
                self._collect(statement.body, (*guards, statement.iter))
            elif isinstance(statement, ast.While):
                self._collect(statement.body, (*guards, statement.test))
            else:
                self.assigned.append((statement, guards))

    def atomics(self) -> bool:
        """Whether an atomic decides."""
        return any(_is_atomic(part) for node in self.nodes for part in ast.walk(node))

    def is_carried(self) -> bool:
        """Whether something that decides is computed from its own last value."""
        made = [(writes(s), s) for s, _ in self.assigned if s in self.nodes]
        names = {name for written, _ in made for name in written}
        settled: set[str] = set()
        while True:
            new = {
                name
                for written, _ in made
                for name in written - settled
                if all(not (_needs(s) & names) - settled for written, s in made if name in written)
            }
            if not new:
                return bool(names - settled)
            settled |= new


def _needs(statement: ast.AST) -> set[str]:
    """Return the names that an assignment reads, also the one that an update changes."""
    return reads(statement) | (writes(statement) if isinstance(statement, ast.AugAssign) else set())


def may_wait(loop: ast.AST, function_body: list[ast.stmt]) -> bool:
    """Return whether a statement is a loop that may only end when another thread has written."""
    if not isinstance(loop, ast.While) or loop_ends(loop, function_body):
        return False
    return any(_sees_memory(node) for node in _Decision(loop).nodes)


def spins(loop: ast.AST) -> bool:
    """Return whether a loop without a barrier looks at what only another thread can change."""
    if not isinstance(loop, ast.While):
        return False
    if waits_for_memory(loop):
        return True
    if any(_meets(part) or isinstance(part, DeviceCall) for part in ast.walk(loop)):
        return False
    decision = _Decision(loop)
    changed, loads = writes(loop), list(_loads(decision.nodes))
    touched = {name for part in ast.walk(loop) for name in _changes(part)}
    fixed = all(not reads(one) & (changed | touched) for one in loads)
    return bool(loads) and fixed and not decision.atomics() and not decision.is_carried()


def waits_for_blocks(loop: ast.AST, function_body: list[ast.stmt]) -> bool:
    """Return whether a loop may wait for what another block does."""
    if not isinstance(loop, ast.While) or not may_wait(loop, function_body):
        return False
    return spins(loop) or any(_meets(part) for part in ast.walk(loop)) or _Decision(loop).atomics()


def spinning(body: Iterable[ast.AST], resolved: Resolved) -> Iterator[ast.While]:
    """Yield the loops that spin, in some code and in the device functions of a kernel."""
    trees = [*body, *(one.tree for one in resolved.device_functions.values())]
    for part in (part for tree in trees for part in ast.walk(tree)):
        if isinstance(part, ast.While) and spins(part):
            yield part


def _meets(part: ast.AST) -> bool:
    is_barrier = isinstance(part, Intrinsic) and part.intrinsic.synchronises
    return is_barrier or isinstance(part, Sync)


def _is_atomic(part: ast.AST) -> bool:
    return isinstance(part, Intrinsic) and part.intrinsic.kind == "atomic"


def _is_load(part: ast.AST) -> bool:
    cached = isinstance(part, Intrinsic) and part.intrinsic.name in CACHE_LOADS
    return cached or (
        isinstance(part, ast.Subscript) and hasattr(part, "site") and isinstance(part.ctx, ast.Load)
    )


def _loads(nodes: list[ast.AST]) -> Iterator[ast.AST]:
    return (part for node in nodes for part in ast.walk(node) if _is_load(part))


def _changes(part: ast.AST) -> set[str]:
    """Return the arrays that a node writes to."""
    if isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Store):
        return reads(part.value)
    return reads(part.args[0]) if _is_atomic(part) and part.args else set()


def _sees_memory(node: ast.AST) -> bool:
    return any(
        _is_load(part)
        or _is_atomic(part)
        or (isinstance(part, DeviceCall) and _sees_memory(part.function.tree))
        for part in ast.walk(node)
    )


def with_waits_in_sight(resolved: Resolved) -> Resolved:
    """Return a copy in which device functions that may wait will be inlined."""
    copies: dict[int, Resolved] = {}

    def copied(one: Resolved) -> Resolved:
        if id(one) not in copies:
            new = copies[id(one)] = replace(one, tree=deepcopy_tree(one.tree))
            calls = [node for node in ast.walk(new.tree) if isinstance(node, DeviceCall)]
            for call in calls:
                call.function = copied(call.function)
            waits = any(may_wait(part, new.tree.body) for part in ast.walk(new.tree))
            new.inlined = waits or any(call.function.inlined for call in calls)
        return copies[id(one)]

    result = copied(resolved)
    result.device_functions = {key: copied(one) for key, one in resolved.device_functions.items()}
    result.inlined = False
    return result
