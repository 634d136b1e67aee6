"""Leaving a thread's turn early, in code that has no `goto`.

Inside a thread loop a kernel's ``return`` (and a ``break`` or ``continue`` of a loop that stays
outside) ends the thread's turn. Where the branch that leaves ends in the escape, the rest of the
code becomes its ``else``; elsewhere a flag guards what follows.
"""

from __future__ import annotations

import ast

from workbench.simt.frontend.normal_form import deepcopy_tree, load
from workbench.simt.planning.analysis import escapes

FLAG = "_left"


class _NeedsFlag(Exception):
    """The escape cannot be written as an `else`."""


def lower_escapes(body: list[ast.stmt], clears: dict[type, list[ast.stmt]]) -> list[ast.stmt]:
    """Return the statements without escapes.

    Parameters
    ----------
    body : list of ast.stmt
        Left as it is.
    clears : dict
        Kind of escape -> statements that run instead (masks to clear).
    """
    if not escapes(body):
        return body
    try:
        return _Lowering(clears, flagged=False).block(deepcopy_tree(body))[0]
    except _NeedsFlag:
        lowered = _Lowering(clears, flagged=True).block(deepcopy_tree(body))[0]
        start = ast.parse(f"{FLAG} = False").body
        for part in ast.walk(start[0]):
            ast.copy_location(part, body[0])
        return [*start, *lowered]


class _Lowering:
    def __init__(self, clears: dict[type, list[ast.stmt]], flagged: bool):
        self.clears, self.flagged = clears, flagged

    def block(self, body: list[ast.stmt], depth: int = 0) -> tuple[list[ast.stmt], bool, bool]:
        """Return the new statements, whether they may leave, whether they must."""
        out: list[ast.stmt] = []
        for at, statement in enumerate(body):
            leaves = escapes([statement]) if depth == 0 else escapes([statement], (ast.Return,))
            if not leaves:
                out.append(statement)
                if depth and isinstance(statement, (ast.Break, ast.Continue)):
                    return out, False, False
                continue
            rest = body[at + 1 :]
            if isinstance(statement, ast.If):
                return self.branch(statement, rest, out, depth)
            if isinstance(statement, (ast.For, ast.While)):
                return self.loop(statement, rest, out, depth)
            out += self.escape(statement, depth)
            return out, True, True
        return out, False, False

    def escape(self, statement: ast.stmt, depth: int) -> list[ast.stmt]:
        out = deepcopy_tree(self.clears.get(type(statement), []))
        if self.flagged:
            out += _parse(f"{FLAG} = True", statement)
        if depth:
            if not self.flagged:
                raise _NeedsFlag
            out.append(ast.copy_location(ast.Break(), statement))
        return out or [ast.copy_location(ast.Pass(), statement)]

    def branch(self, statement: ast.If, rest, out, depth) -> tuple[list[ast.stmt], bool, bool]:
        first, may_first, must_first = self.block(statement.body, depth)
        second, may_second, must_second = self.block(statement.orelse, depth)
        statement.body, statement.orelse = first, second
        out.append(statement)
        if not rest:
            return out, True, must_first and must_second
        if must_first and must_second:
            return out, True, True
        if must_first and not may_second and not depth:
            tail, _may, must = self.block(rest, depth)
            statement.orelse = second + tail
            return out, True, must
        if must_second and not may_first and not depth:
            tail, _may, must = self.block(rest, depth)
            statement.body = first + tail
            return out, True, must
        return self.guarded(statement, rest, out, depth)

    def loop(self, statement, rest, out, depth) -> tuple[list[ast.stmt], bool, bool]:
        if not self.flagged:
            raise _NeedsFlag
        statement.body = self.block(statement.body, depth + 1)[0]
        out.append(statement)
        if depth:
            leave = ast.If(load(FLAG, statement), [ast.Break()], [])
            out.append(_placed(leave, statement))
        if not rest:
            return out, True, False
        return self.guarded(statement, rest, out, depth)

    def guarded(self, like, rest, out, depth) -> tuple[list[ast.stmt], bool, bool]:
        if not self.flagged:
            raise _NeedsFlag
        tail = self.block(rest, depth)[0]
        guard = ast.If(ast.UnaryOp(ast.Not(), load(FLAG, like)), tail, [])
        out.append(_placed(guard, like))
        return out, True, False


def _parse(text: str, like: ast.AST) -> list[ast.stmt]:
    return [_placed(statement, like) for statement in ast.parse(text).body]


def _placed(node, like: ast.AST):
    for part in ast.walk(node):
        if not hasattr(part, "lineno"):
            ast.copy_location(part, like)
    return node
