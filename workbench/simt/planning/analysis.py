"""What names do: read, written, uniform over a block, live across a barrier.

A name is *uniform* where every thread of a block must hold the same value: it is computed from
arguments, block indices and other uniform names, under control on which all threads agree, and
never from memory. What is not provably uniform is treated as different in every thread, which
costs time and never an answer (PoCL's uniformity analysis, Jaaskelainen et al. 2015, section 4).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from workbench.simt.frontend.normal_form import Sync
from workbench.simt.frontend.resolved import DeviceCall, Index, Intrinsic

_PER_THREAD = ("threadIdx", "laneid")
_UNIFORM_SYNC = ("syncthreads_count", "syncthreads_and", "syncthreads_or")
ESCAPES = (ast.Return, ast.Break, ast.Continue)


def reads(node: ast.AST) -> set[str]:
    """Return the names that a tree reads."""
    return {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)
    }


def writes(nodes: ast.AST | Iterable[ast.AST]) -> set[str]:
    """Return the names that a tree, or each tree of several, assigns."""
    trees = [nodes] if isinstance(nodes, ast.AST) else list(nodes)
    found = {
        part.id
        for tree in trees
        for part in ast.walk(tree)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    syncs = (part for tree in trees for part in ast.walk(tree) if isinstance(part, Sync))
    return found | {sync.target for sync in syncs if sync.target}


def has_sync(node: ast.AST) -> bool:
    """Return whether a tree holds a barrier or a warp operation."""
    return any(isinstance(part, Sync) for part in ast.walk(node))


def escapes(statements: Iterable[ast.stmt], kinds: tuple = ESCAPES) -> list[ast.stmt]:
    """Return the statements that leave this list: returns, and breaks of an enclosing loop."""
    found: list[ast.stmt] = []
    for statement in statements:
        if isinstance(statement, ast.Return):
            if ast.Return in kinds:
                found.append(statement)
        elif isinstance(statement, (ast.Break, ast.Continue)):
            if type(statement) in kinds:
                found.append(statement)
        elif isinstance(statement, ast.If):
            found += escapes([*statement.body, *statement.orelse], kinds)
        elif isinstance(statement, (ast.For, ast.While)) and ast.Return in kinds:
            found += escapes(statement.body, (ast.Return,))
    return found


def stores_memory(node: ast.AST) -> bool:
    """Return whether a tree writes to an array, an atomic, or calls what might."""
    return any(
        (isinstance(part, Intrinsic) and part.intrinsic.kind != "call")
        or (isinstance(part, (ast.Subscript, ast.Attribute)) and isinstance(part.ctx, ast.Store))
        or isinstance(part, (DeviceCall, ast.Raise, ast.Assert, ast.Expr))
        for part in ast.walk(node)
    )


class Uniformity:
    """Which names are uniform over a block.

    Parameters
    ----------
    body : list of ast.stmt
        A function in normal form.
    names : set of str
        Names that may be uniform at all: locals and scalar parameters.
    """

    def __init__(self, body: list[ast.stmt], names: set[str]):
        self.body, self.uniform = body, set(names)
        self.solve()

    def solve(self) -> None:
        """Remove names until every one left is provably uniform."""
        while True:
            before = len(self.uniform)
            self._block(self.body, True)
            if len(self.uniform) == before:
                return

    def demote(self, names: set[str]) -> bool:
        """Take names out, with all that depends on them; return whether any was in."""
        if not names & self.uniform:
            return False
        self.uniform -= names
        self.solve()
        return True

    def expression(self, node: ast.AST) -> bool:
        """Return whether an expression has the same value in every thread of a block."""
        for part in ast.walk(node):
            if isinstance(part, Index) and part.name.startswith(_PER_THREAD):
                return False
            if isinstance(part, ast.Subscript) and hasattr(part, "site"):
                return False
            if isinstance(part, DeviceCall):
                return False
            if isinstance(part, Intrinsic) and part.intrinsic.name != "gridsize":
                return False
        return not (self._locals_read(node) - self.uniform)

    def _locals_read(self, node: ast.AST) -> set[str]:
        return reads(node) & self._locals

    @property
    def _locals(self) -> set[str]:
        if not hasattr(self, "_assigned"):
            self._assigned = writes(self.body)
        return self._assigned

    def _block(self, body: list[ast.stmt], control: bool) -> None:
        for statement in body:
            if isinstance(statement, ast.If):
                inner = control and self.expression(statement.test)
                self._block(statement.body, inner)
                self._block(statement.orelse, inner)
            elif isinstance(statement, (ast.For, ast.While)):
                self._loop(statement, control)
            elif isinstance(statement, Sync):
                if not (control and statement.intrinsic.name in _UNIFORM_SYNC):
                    self.uniform -= {statement.target}
            elif not (control and self._simple(statement)):
                self.uniform -= writes(statement)

    def _simple(self, statement: ast.stmt) -> bool:
        value = getattr(statement, "value", None)
        return value is None or self.expression(value)

    def _loop(self, statement: ast.For | ast.While, control: bool) -> None:
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        agreed = control and self.expression(head) and not self.divergent_exits(statement.body)
        if not agreed:
            self.uniform -= writes(statement)
        self._block(statement.body, agreed)

    def divergent_exits(self, body: list[ast.stmt]) -> bool:
        """Return whether some threads may leave a loop's iteration while others stay."""
        return any(
            escapes([statement], (ast.Break, ast.Continue))
            and not (
                isinstance(statement, (ast.Break, ast.Continue))
                or (
                    isinstance(statement, ast.If)
                    and self.expression(statement.test)
                    and not self.divergent_exits(statement.body)
                    and not self.divergent_exits(statement.orelse)
                )
            )
            for statement in body
        )


def exposed(body: Iterable[ast.stmt], defined: set[str]) -> tuple[set[str], set[str]]:
    """Return the names read before this code surely assigned them, and those it surely assigns."""
    needed: set[str] = set()
    defined = set(defined)
    for statement in body:
        if isinstance(statement, ast.If):
            needed |= reads(statement.test) - defined
            first, after_first = exposed(statement.body, defined)
            second, after_second = exposed(statement.orelse, defined)
            needed |= first | second
            defined |= after_first & after_second
        elif isinstance(statement, (ast.For, ast.While)):
            is_for = isinstance(statement, ast.For)
            needed |= reads(statement.iter if is_for else statement.test) - defined
            inside = defined | writes(statement.target) if is_for else defined
            needed |= exposed(statement.body, inside)[0]
        else:
            needed |= reads(statement) - defined
            defined |= writes(statement)
    return needed, defined
