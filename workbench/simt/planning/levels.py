"""Which statements stay outside the thread loops: those that all threads of a block do alike."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.simt.frontend.normal_form import Sync
from workbench.simt.planning.analysis import (
    escapes,
    has_sync,
    stores_memory,
    writes,
)


class Levels:
    """The part of the planner that decides what runs once for a block."""

    def _block_level(self, statement: ast.stmt) -> bool:
        if has_sync(statement):
            return True
        if isinstance(statement, (ast.Break, ast.Continue)):
            return True
        return (
            isinstance(statement, ast.If)
            and bool(escapes([statement], (ast.Break, ast.Continue)))
            and not escapes([statement], (ast.Return,))
            and not self.uniformity.divergent_exits([statement])
            and self._uniform_compound(statement, escaping=True)
        )

    def _uniform_simple(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Assign):
            names = writes(statement)
            plain = not stores_memory(statement) and not (names & self.arrays)
            return plain and bool(names) and names <= self.uniformity.uniform
        if isinstance(statement, (ast.If, ast.For, ast.While)):
            return self._uniform_compound(statement)
        return False

    def _uniform_compound(self, statement: ast.stmt, escaping: bool = False) -> bool:
        head = getattr(statement, "test", None) or getattr(statement, "iter", None)
        return (
            not has_sync(statement)
            and self.uniformity.expression(head)
            and not stores_memory(statement)
            and (escaping or not escapes([statement]))
            and writes(statement) <= self.uniformity.uniform
            and not (writes(statement) & self.arrays)
        )

    def _assigned_in_regions(self, body: list[ast.stmt]) -> set[str]:
        found: set[str] = set()
        for statement in body:
            if has_sync(statement) and isinstance(statement, (ast.If, ast.For, ast.While)):
                found |= self._assigned_in_regions(statement.body)
                found |= self._assigned_in_regions(statement.orelse)
            elif not (
                isinstance(statement, Sync)
                or self._uniform_simple(statement)
                or self._block_level(statement)
            ):
                found |= writes(statement)
        return found
