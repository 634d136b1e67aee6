"""Small proofs that save work in generated code: loops that end, memory that is overwritten.

Each function answers only where it is sure; "no" means "not proved".
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast

from workbench.simt.frontend.normal_form import Normal, Sync
from workbench.simt.frontend.resolved import DeviceCall, Index, Intrinsic

_AXES = {"threadIdx.x": 0, "threadIdx.y": 1, "threadIdx.z": 2}


def _stores(body: list[ast.stmt], name: str) -> list[ast.stmt]:
    found = []
    for statement in body:
        for part in ast.walk(statement):
            targets = part.targets if isinstance(part, ast.Assign) else []
            if isinstance(part, ast.For):
                targets = [part.target]
            for target in targets:
                names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
                if name in names and not isinstance(target, ast.Subscript):
                    found.append(part)
    return found


def loop_ends(loop: ast.While, function_body: list[ast.stmt]) -> bool:
    """Return whether a ``while`` halves or doubles its variable, so that it ends within 64 turns.

    Proved are ``while k > 0: ... k //= 2`` (or ``k >>= 1``), and ``while k < n: ... k *= 2`` (or
    ``k <<= 1``) where `k` starts from a positive constant.
    """
    test = loop.test
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1):
        return False
    if not isinstance(test.left, ast.Name):
        return False
    name, updates = test.left.id, _stores(loop.body, test.left.id)
    if len(updates) != 1 or updates[0] not in loop.body:
        return False
    step = _step(updates[0], name)
    if step == "shrinks":
        return _falls_to_zero(test)
    starts = [s for s in _stores(function_body, name) if s is not updates[0]]
    rises = isinstance(test.ops[0], (ast.Lt, ast.LtE)) and name not in _names(test.comparators[0])
    changed = any(_stores(loop.body, other) for other in _names(test.comparators[0]))
    return step == "grows" and rises and not changed and all(_positive(s) for s in starts)


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _positive(statement: ast.stmt) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(value, ast.Constant) and type(value.value) is int and value.value > 0


def _falls_to_zero(test: ast.Compare) -> bool:
    bound = test.comparators[0]
    if not isinstance(bound, ast.Constant) or type(bound.value) is not int:
        return False
    least = 0 if isinstance(test.ops[0], ast.Gt) else 1
    return isinstance(test.ops[0], (ast.Gt, ast.GtE)) and bound.value >= least


def _step(statement: ast.stmt, name: str) -> str:
    value = getattr(statement, "value", None)
    if not (isinstance(value, ast.BinOp) and isinstance(value.left, ast.Name)):
        return ""
    if value.left.id != name or not isinstance(value.right, ast.Constant):
        return ""
    amount = value.right.value
    if type(amount) is not int:
        return ""
    if isinstance(value.op, ast.FloorDiv if amount >= 2 else ast.RShift) and amount >= 1:
        return "shrinks"
    if isinstance(value.op, ast.RShift) and amount >= 1:
        return "shrinks"
    if isinstance(value.op, ast.Mult) and amount >= 2:
        return "grows"
    return "grows" if isinstance(value.op, ast.LShift) and amount >= 1 else ""


def waits_for_memory(loop: ast.While) -> bool:
    """Return whether a loop only ends when another thread writes: it reads memory, changes none."""
    reads_memory = any(
        isinstance(part, ast.Subscript) and hasattr(part, "site") for part in ast.walk(loop.test)
    )
    changes = any(
        isinstance(part, (ast.Assign, ast.AugAssign, ast.Break, ast.Return, DeviceCall, Sync))
        or (isinstance(part, Intrinsic) and part.intrinsic.kind == "atomic")
        for statement in loop.body
        for part in ast.walk(statement)
    )
    return reads_memory and not changes


def shrinking_bounds(name: str, body: list[ast.stmt], constant) -> tuple[int, int] | None:
    """Return (least, most) of a name that starts from constants and is only ever halved.

    Parameters
    ----------
    name : str
    body : list of ast.stmt
        The whole function.
    constant : callable
        ``constant(node) -> int or None``.
    """
    values = []
    for statement in _stores(body, name):
        if _step(statement, name) == "shrinks":
            continue
        alone = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
        value = constant(statement.value) if alone else None
        if value is None or value < 0:
            return None
        values.append(value)
    return (0, max(values)) if values else None


def overwritten_first(
    name: str, shape: tuple[int, ...], bodies: list[list[ast.stmt]], normal: Normal, block: tuple
) -> bool:
    """Return whether every element of a shared array is stored before any is read.

    Parameters
    ----------
    name : str
    shape : tuple of int
    bodies : list of lists of ast.stmt
        The regions that surely run first, in order.
    normal : Normal
    block : tuple of int
        Threads in x, y, z.
    """
    axes = [k for k, extent in enumerate(block) if extent > 1] or [0]
    if tuple(block[k] for k in reversed(axes)) != shape:
        return False
    for body in bodies:
        for statement in body:
            if name not in _names(statement):
                continue
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            if not isinstance(target, ast.Subscript) or _names(target.value) != {name}:
                return False
            if name in _names(statement.value) | _names(target.slice):
                return False
            return _thread_axes(target.slice, normal) == list(reversed(axes))
    return False


def _thread_axes(index: ast.expr, normal: Normal) -> list[int]:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    return [_axis(part, normal) for part in parts]


def _axis(node: ast.expr, normal: Normal) -> int:
    if isinstance(node, ast.Name):
        made = _stores(normal.body, node.id)
        if len(made) != 1 or not isinstance(made[0], ast.Assign):
            return -1
        target, value = made[0].targets[0], made[0].value
        if isinstance(target, ast.Tuple):
            if not isinstance(value, ast.Tuple):
                return -1
            at = [getattr(part, "id", "") for part in target.elts].index(node.id)
            return _axis(value.elts[at], normal)
        return _axis(value, normal)
    return _AXES.get(node.name, -1) if isinstance(node, Index) else -1
