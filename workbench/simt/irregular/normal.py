"""The normal form of this tier: it allows what the regions cannot have.

Inlined functions return from anywhere, loops have an ``else``, and a loop with a barrier goes over
whatever can be counted.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from typing import Any

from workbench.simt.frontend.inlining import placed, returns_to
from workbench.simt.frontend.normal_form import assign
from workbench.simt.frontend.normalise import Normaliser
from workbench.simt.irregular.nodes import Inlined, LeaveInlined


class FlowNormaliser(Normaliser):
    """The normal form of this tier: device functions may return from anywhere."""

    def returns(self, result: str, body: list, node: ast.AST) -> list[ast.stmt]:
        """Write an inlined function's body, with its returns."""
        found = [part for s in body for part in ast.walk(s) if isinstance(part, ast.Return)]
        if not found or (len(found) == 1 and body[-1] is found[0]):
            return returns_to(result, body, self, node)
        label = self.temp("leave")
        whole = Inlined(_Leaving(result, label).block(body))
        whole.label = label
        return [placed(whole, node)]

    def on_Inlined(self, statement: Inlined) -> list[ast.stmt]:
        """Bring the body into normal form."""
        statement.body = self.statements(statement.body)
        return [statement]

    def on_For(self, statement: ast.For) -> list[ast.stmt]:
        """Name what a loop goes over, unless it is a range."""
        out: list[ast.stmt] = []
        statement.iter = self.hoist(statement.iter, out)
        if not is_range(statement.iter):
            statement.iter = self.pin(statement.iter, out)
        return out + self.loop(statement)

    def loop(self, statement: Any) -> list[ast.stmt]:
        """Bring a loop's body into normal form; an ``else`` is one more branch here."""
        statement.orelse = self.statements(statement.orelse)
        orelse, statement.orelse = statement.orelse, []
        out = super().loop(statement)
        statement.orelse = orelse
        return out


class _Leaving(ast.NodeTransformer):
    def __init__(self, result: str, label: str):
        self.result, self.label = result, label

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [part for s in body for part in _listed(self.visit(s))]

    def visit_Return(self, node: ast.Return):
        value = node.value or ast.copy_location(ast.Constant(0), node)
        leave = LeaveInlined()
        leave.label = self.label
        return [assign(self.result, value, node), ast.copy_location(leave, node)]


def _listed(found: Any) -> list[ast.stmt]:
    return found if isinstance(found, list) else [found]


def is_range(node: ast.expr) -> bool:
    """Return whether a loop goes over ``range(...)``."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range"
