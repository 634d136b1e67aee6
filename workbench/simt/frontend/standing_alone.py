"""Which parts of an expression must become statements of their own."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.simt.frontend.resolved import DeviceCall, Intrinsic


def waits(node: ast.AST) -> bool:
    """Return whether evaluating this node itself must stand alone."""
    if isinstance(node, Intrinsic):
        return node.intrinsic.synchronises or node.intrinsic.kind == "declare"
    if not isinstance(node, DeviceCall):
        return False
    return node.function.synchronises or node.function.shares or node.function.inlined


def must_stand_alone(node: ast.AST) -> bool:
    """Return whether a part of an expression must be a statement of its own."""
    return any(waits(part) for part in ast.walk(node))


def operands(node: ast.AST):
    """Yield children in the order Python evaluates them, through containers and keywords."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword):
            yield child.value
        elif isinstance(child, ast.Slice):
            yield from operands(child)
        else:
            yield child


def replace_children(node: ast.AST, new: dict[int, ast.expr]) -> None:
    """Put new nodes in the places of old ones, by their identity."""
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for k, item in enumerate(value):
                if isinstance(item, ast.keyword):
                    item.value = new.get(id(item.value), item.value)
                else:
                    value[k] = new.get(id(item), item)
        elif isinstance(value, ast.Slice):
            replace_children(value, new)
        elif isinstance(value, ast.AST):
            setattr(node, name, new.get(id(value), value))
