"""A device function's body in place of its call: fresh names, and returns as assignments."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from copy import copy
from typing import Any

from workbench.simt.frontend.normal_form import (
    assign,
)
from workbench.simt.frontend.resolved import Intrinsic, Resolved


def is_store(node: ast.AST) -> bool:
    """Return whether a node assigns a name."""
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def placed(node: Any, like: ast.AST) -> Any:
    """Give a new tree the place of `like`."""
    for part in ast.walk(node):
        if not hasattr(part, "lineno"):
            ast.copy_location(part, like)
    return node


class Renamer(ast.NodeTransformer):
    """Gives an inlined function's names a prefix, and its parameters their arguments.

    A shared array is one for all calls of the function that makes it, so its name has no number of
    the call.
    """

    def __init__(self, substitute: dict[str, ast.expr], prefix: str, callee: Resolved):
        self.substitute, self.prefix = substitute, prefix
        self.shared = _shared_names(callee)
        self.names = set(callee.source.parameters) | {
            node.id for node in ast.walk(callee.tree) if is_store(node)
        }
        self.callee = callee

    def visit_Name(self, node: ast.Name):
        """Give a name its prefix, or its argument."""
        if node.id in self.substitute:
            return ast.copy_location(copy(self.substitute[node.id]), node)
        if node.id in self.shared:
            node.id = f"{self.callee.name}_{self.callee.source.first_line}_{node.id}"
        elif node.id in self.names:
            node.id = self.prefix + node.id
        else:
            node.scope = self.callee.source
        return node


def _shared_names(callee: Resolved) -> set[str]:
    return {
        node.targets[0].id for node in ast.walk(callee.tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, Intrinsic)
        and node.value.intrinsic.name == "shared.array" and isinstance(node.targets[0], ast.Name)
    }  # fmt: skip


def returns_to(result: str, body: list, owner: Any, like: ast.AST) -> list[ast.stmt]:
    """Rewrite ``return value`` as an assignment to `result`."""
    returns = [node for s in body for node in ast.walk(s) if isinstance(node, ast.Return)]
    none = ast.copy_location(ast.Constant(0), like)
    if not returns:
        return [*body, assign(result, none, like)]
    if len(returns) == 1 and body[-1] is returns[0]:
        return [*body[:-1], assign(result, returns[0].value or none, returns[0])]
    nested = [
        node
        for s in body
        for loop in ast.walk(s)
        if isinstance(loop, (ast.For, ast.While))
        for node in ast.walk(loop)
        if isinstance(node, ast.Return)
    ]
    if nested:
        raise owner.refuse(
            nested[0], "`return` inside a loop of a function that synchronises", "use a flag"
        )
    once = ast.While(ast.Constant(True), _ReturnToBreak(result).block(body), [])
    once.body.append(ast.Break())
    return [placed(once, like)]


class _ReturnToBreak:
    def __init__(self, result: str):
        self.result = result

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.Return):
                value = statement.value or ast.copy_location(ast.Constant(0), statement)
                out.append(assign(self.result, value, statement))
                out.append(ast.copy_location(ast.Break(), statement))
                continue
            if isinstance(statement, ast.If):
                statement.body = self.block(statement.body)
                statement.orelse = self.block(statement.orelse)
            out.append(statement)
        return out
