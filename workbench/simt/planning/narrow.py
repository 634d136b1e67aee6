"""Thread loops over the threads that have something to do.

``if t < k: ...`` alone between two barriers, or ``if t == 0: ...``, names its threads in advance:
the loop then runs over those, and a tree reduction does half the work at each level.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Callable

from workbench.simt.frontend.resolved import Index
from workbench.simt.planning.nodes import Region

_MIRROR = {ast.Lt: ast.Gt, ast.LtE: ast.GtE, ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Eq: ast.Eq}


def narrowed(
    node: Region, extent: int, is_uniform: Callable[[str], bool], text: Callable[[ast.AST], str]
) -> str | None:
    """Return the ``range`` of x-indices for which a region does anything, or None for all.

    Parameters
    ----------
    node : Region
    extent : int
        Threads of the block, all along x.
    is_uniform : callable
        Whether a name is an integer that every thread of the block holds alike, and that the
        region does not change.
    text : callable
        An expression as source.
    """
    if len(node.body) != 1 or not isinstance(node.body[0], ast.If) or node.body[0].orelse:
        return None
    if node.kept:
        return None
    aliases = _aliases(node.again)
    for test in _conjuncts(node.body[0].test):
        found = _bound(test, aliases, is_uniform)
        if found is not None:
            return _range(found, extent, text)
    return None


def _aliases(again: list[ast.Assign]) -> set[str]:
    """Return the names that are ``threadIdx.x`` and nothing else."""
    found: set[str] = set()
    for statement in again:
        target, value = statement.targets[0], statement.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for one, worth in pairs:
            if isinstance(one, ast.Name) and _is_x(worth, found):
                found.add(one.id)
    return found


def _is_x(node: ast.AST, aliases: set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in aliases
    return isinstance(node, Index) and node.name == "threadIdx.x"


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    """Return the tests that all must hold; only the first is sure to be evaluated."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
        return _conjuncts(test.values[0])
    return [test]


def _bound(test: ast.expr, aliases: set[str], is_uniform: Callable[[str], bool]):
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    op, left, right = type(test.ops[0]), test.left, test.comparators[0]
    if op not in _MIRROR:
        return None
    if _is_x(right, aliases):
        left, right, op = right, left, _MIRROR[op]
    if not _is_x(left, aliases) or not _is_whole(right, is_uniform):
        return None
    return op, right


def _is_whole(node: ast.expr, is_uniform: Callable[[str], bool]) -> bool:
    """Whether an expression is an integer, alike in all threads and without effect."""
    if isinstance(node, ast.Constant):
        return type(node.value) is int
    if isinstance(node, ast.Name):
        return is_uniform(node.id)
    whole = (ast.Add, ast.Sub, ast.Mult, ast.FloorDiv)
    if isinstance(node, ast.BinOp) and isinstance(node.op, whole):
        return _is_whole(node.left, is_uniform) and _is_whole(node.right, is_uniform)
    return False


def _range(found: tuple, extent: int, text: Callable[[ast.AST], str]) -> str:
    op, end = found
    value = end.value if isinstance(end, ast.Constant) else None
    if op is ast.Eq and isinstance(value, int) and 0 <= value < extent:
        return f"range({value}, {value + 1})"
    edge = text(end)
    if op is ast.Lt:
        return f"range(min({extent}, {edge}))"
    if op is ast.LtE:
        return f"range(min({extent}, {edge} + 1))"
    if op is ast.Eq:
        return f"range(max(0, {edge}), min({extent}, {edge} + 1))"
    return f"range(max(0, {edge}{' + 1' if op is ast.Gt else ''}), {extent})"
