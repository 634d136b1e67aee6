"""Calls that wait, taken out of the expressions they stand in, with evaluation order kept."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.simt.frontend.normal_form import (
    assign,
    is_simple,
    load,
)
from workbench.simt.frontend.resolved import DeviceCall
from workbench.simt.frontend.standing_alone import (
    must_stand_alone,
    operands,
    replace_children,
    waits,
)


class Hoisting:
    """The part of the normaliser that takes waiting calls out of expressions."""

    def hoist(self, node: ast.expr, out: list[ast.stmt]) -> ast.expr:
        """Return `node` with everything that must stand alone moved into `out`, in order."""
        if not must_stand_alone(node):
            return node
        if isinstance(node, ast.BoolOp):
            return self.hoist_boolean(node, out)
        if isinstance(node, ast.IfExp):
            return self.hoist_choice(node, out)
        children = [child for child in operands(node) if isinstance(child, ast.expr)]
        waiting = [k for k, child in enumerate(children) if must_stand_alone(child)]
        replaced: dict[int, ast.expr] = {}
        for k, child in enumerate(children):
            new = self.hoist(child, out)
            is_function = isinstance(node, ast.Call) and child is node.func
            if waiting and k < waiting[-1] and not is_simple(new) and not is_function:
                new = self.pin(new, out)
            replaced[id(child)] = new
        replace_children(node, replaced)
        if not waits(node):
            return node
        name = self.temp()
        if isinstance(node, DeviceCall):
            return self.inline(node, name, out)
        if node.intrinsic.kind == "declare":
            self.declare(node, name)
        else:
            self.synchronise(node, name, out)
        return load(name, node)

    def hoist_boolean(self, node: ast.BoolOp, out: list[ast.stmt]) -> ast.expr:
        """Write ``and`` or ``or`` as branches: later operands may not be evaluated."""
        name = self.temp()
        out.append(assign(name, self.hoist(node.values[0], out), node))
        for value in node.values[1:]:
            inner: list[ast.stmt] = []
            new = self.hoist(value, inner)
            test: ast.expr = load(name, node)
            if isinstance(node.op, ast.Or):
                test = ast.copy_location(ast.UnaryOp(ast.Not(), test), node)
            branch = ast.If(test, [*inner, assign(name, new, node)], [])
            out.append(ast.copy_location(branch, node))
        return load(name, node)

    def hoist_choice(self, node: ast.IfExp, out: list[ast.stmt]) -> ast.expr:
        """Write ``a if test else b`` as a branch."""
        name = self.temp()
        test = self.hoist(node.test, out)
        branches: list[list[ast.stmt]] = []
        for value in (node.body, node.orelse):
            inner: list[ast.stmt] = []
            new = self.hoist(value, inner)
            branches.append([*inner, assign(name, new, node)])
        out.append(ast.copy_location(ast.If(test, *branches), node))
        return load(name, node)
