"""Small questions about syntax trees, and one way to make one, for the translator."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from numba import types


def is_field(node: ast.Subscript) -> bool:
    """Whether a subscript names a field of a record: ``states[i]["s0"]``."""
    return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)


def flattened(node: ast.Subscript, kinds: dict) -> ast.Subscript:
    """``a[i][j]`` of a two-dimensional array is ``a[i, j]``."""
    parts: list[ast.expr] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Subscript) and hasattr(inner, "site"):
        own = inner.slice.elts if isinstance(inner.slice, ast.Tuple) else [inner.slice]
        if any(isinstance(part, ast.Slice) for part in own):
            return node
        parts = [*own, *parts]
        inner = inner.value
    kind = kinds.get(getattr(inner, "id", ""))
    if inner is node.value or not isinstance(kind, types.Array) or kind.ndim != len(parts):
        return node
    flat = ast.Subscript(inner, ast.Tuple(parts, ast.Load()), node.ctx)
    flat.site = node.site
    return ast.copy_location(flat, node)


def has_break(body: list[ast.stmt]) -> bool:
    """Return whether a loop body may leave its loop."""
    from workbench.simt.planning.analysis import escapes

    return bool(escapes(body, (ast.Break, ast.Return)))


def expression(text: str) -> ast.expr:
    """Return source text as a syntax tree."""
    return ast.parse(text, mode="eval").body
