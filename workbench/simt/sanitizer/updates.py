"""Which atomic says what an update such as ``out[v] += 1`` means."""

from __future__ import annotations

import ast

_AUGMENTED = {ast.Add: "add", ast.Sub: "sub", ast.BitAnd: "and_", ast.BitOr: "or_",
              ast.BitXor: "xor"}  # fmt: skip
_CALLS = ("max", "min")


def atomic_for(line: str) -> str | None:
    """Return the atomic call that does in one step what a line does in two.

    Parameters
    ----------
    line : str
        A line of a kernel, stripped.

    Returns
    -------
    str or None
        For instance ``"cuda.atomic.add(out, v, 1)"``; None where the line is no such update.
    """
    try:
        statement = ast.parse(line).body[0]
    except (SyntaxError, IndexError):  # half of a longer statement
        return None
    while isinstance(statement, (ast.If, ast.For, ast.While)) and len(statement.body) == 1:
        statement = statement.body[0]
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Subscript):
        name = _AUGMENTED.get(type(statement.op))
        return name and _call(name, statement.target, statement.value)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Subscript):
        return _spelt_out(statement.targets[0], statement.value)
    return None


def atomic_of_comparison(test: ast.expr, statement: ast.stmt) -> str | None:
    """Return the atomic for ``if v > out[0]: out[0] = v``: ``cuda.atomic.max(out, 0, v)``."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return None
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if not isinstance(target, ast.Subscript):
        return None
    value = statement.value  # pyright: ignore[reportAttributeAccessIssue]
    sides = [ast.unparse(test.left), ast.unparse(test.comparators[0])]
    if sorted(sides) != sorted([ast.unparse(target), ast.unparse(value)]):
        return None
    grows = isinstance(test.ops[0], (ast.Gt, ast.GtE)) == (sides[0] == ast.unparse(value))
    if not isinstance(test.ops[0], (ast.Gt, ast.GtE, ast.Lt, ast.LtE)):
        return None
    return _call("max" if grows else "min", target, value)


def _spelt_out(target: ast.Subscript, value: ast.expr) -> str | None:
    same = ast.unparse(target)
    if isinstance(value, ast.BinOp) and type(value.op) in _AUGMENTED:
        name = _AUGMENTED[type(value.op)]
        if ast.unparse(value.left) == same:
            return _call(name, target, value.right)
        if ast.unparse(value.right) == same and name != "sub":
            return _call(name, target, value.left)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        others = [one for one in value.args if ast.unparse(one) != same]
        if value.func.id in _CALLS and len(value.args) == 2 and len(others) == 1:
            return _call(value.func.id, target, others[0])
    return None


def _call(name: str, target: ast.Subscript, value: ast.expr) -> str:
    array, index = ast.unparse(target.value), ast.unparse(target.slice)
    index = f"({index.strip('()')})" if isinstance(target.slice, ast.Tuple) else index
    return f"cuda.atomic.{name}({array}, {index}, {ast.unparse(value)})"
