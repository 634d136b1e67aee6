"""Accesses of a traced kernel: loads and stores as calls on the thread, updates as both.

The part of the rewriter that knows where values go. It refuses nothing; an array made here is told
how the kernel calls it.
"""

# Syntax trees carry attributes of ours; `Rewriter` brings the rest of the methods.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

from workbench.simt.frontend.resolved import Intrinsic
from workbench.simt.trace.nodes import as_load, load_name, on_thread, placed, store_name


class Assignments(ast.NodeTransformer):
    """Rewrites subscripts and assignments."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Turn a load into a call; shapes and other tuples stay as they are."""
        if not isinstance(node.ctx, ast.Load) or not hasattr(node, "site"):
            return self.generic_visit(node)
        arguments = self.visit(node.value), self.visit(node.slice), self.site(node)
        return placed(on_thread("load", *arguments), node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Turn stores into calls."""
        if all(isinstance(target, ast.Name) for target in node.targets):
            first = node.targets[0]
            name = first.id if isinstance(first, ast.Name) else ""
            node.value = self._named(name, node.value)
            return node
        name = self.temporary()
        out: list[ast.stmt] = [ast.Assign([store_name(name)], self.visit(node.value))]
        for target in node.targets:
            self._assign(target, load_name(name), out)
        return [placed(statement, node) for statement in out]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        """Drop the annotation."""
        if node.value is None:
            return placed(ast.Pass(), node)
        return self.visit(placed(ast.Assign([node.target], node.value), node))

    def _named(self, name: str, value: ast.expr) -> ast.expr:
        """Visit a value, telling an array made here how the kernel calls it."""
        if isinstance(value, Intrinsic) and value.intrinsic.kind == "declare":
            return self._declare(value, name)
        return self.visit(value)

    def _declare(self, node: Intrinsic, name: str) -> ast.expr:
        arguments = [self.visit(argument) for argument in node.args]
        call = on_thread(node.intrinsic.method, self.site(node), ast.Constant(name), *arguments)
        call.keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        return placed(call, node)

    def _assign(self, target: ast.expr, value: ast.expr, out: list[ast.stmt]) -> None:
        if isinstance(target, (ast.Tuple, ast.List)):
            names = [self.temporary() for _ in target.elts]
            out.append(ast.Assign([ast.Tuple([store_name(n) for n in names], ast.Store())], value))
            for element, name in zip(target.elts, names, strict=True):
                self._assign(element, load_name(name), out)
        elif isinstance(target, ast.Subscript):
            place: Any = self.visit(target.value), self.visit(target.slice)
            out.append(ast.Expr(on_thread("store", *place, value, self.site(target))))
        else:
            kept: Any = self.generic_visit(target)
            out.append(ast.Assign([kept], value))

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        """Turn ``a[i] += v`` into the load and the store that it is."""
        if not isinstance(node.target, ast.Subscript):
            work = placed(ast.BinOp(as_load(node.target), node.op, node.value), node)
            return placed(ast.Assign([node.target], self.visit(work)), node)
        array, index, site = self.temporary(), self.temporary(), self.site(node.target)
        old = on_thread("load", load_name(array), load_name(index), site)
        value = self._arithmetic(placed(ast.BinOp(old, node.op, self.visit(node.value)), node))
        out = [
            ast.Assign([store_name(array)], self.visit(node.target.value)),
            ast.Assign([store_name(index)], self.visit(node.target.slice)),
            ast.Expr(on_thread("store", load_name(array), load_name(index), value, site)),
        ]
        return [placed(statement, node) for statement in out]
