"""What a guard such as ``t < k`` leaves of the threads of a loop: a box with shorter sides."""

# Syntax trees carry attributes of ours.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast

from workbench.simt.codegen.linear import Linear, LinearReader, NotLinear

Box = dict[str, tuple[str, str]]
"""Axis -> first position and the one after the last, as source text."""
_SIGNS = {ast.Lt: (1, 0), ast.LtE: (1, 1), ast.Gt: (-1, 0), ast.GtE: (-1, 1)}
_NEGATED = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}


def guarded(
    test: ast.expr, holds: bool, box: Box, reader: LinearReader, needs: dict[str, None]
) -> Box:
    """Return the part of a box where a test holds, or where it does not.

    Parameters
    ----------
    test : ast.expr
    holds : bool
    box : Box
    reader : LinearReader
    needs : dict
        Gains the tests (source text) under which the answer is right.

    Raises
    ------
    NotLinear
        Where that part is no box.
    """
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return guarded(test.operand, not holds, box, reader, needs)
    if isinstance(test, ast.Call) and getattr(test.func, "id", "") == "bool":
        return guarded(test.args[0], holds, box, reader, needs)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And if holds else ast.Or):
        for value in test.values:
            box = guarded(value, holds, box, reader, needs)
        return box
    if not isinstance(test, ast.Compare) or (len(test.ops) > 1 and not holds):
        raise NotLinear
    left = test.left
    for operation, right in zip(test.ops, test.comparators, strict=True):
        difference = reader.of(right).plus(reader.of(left), -1)
        for sign, reach in _relations(type(operation), holds):
            signed = Linear.number(reach).plus(difference, sign)
            box = _above(signed, box, needs)
        left = right
    return box


def _relations(operation: type, holds: bool) -> list[tuple[int, int]]:
    """Return ``(sign, reach)`` of each inequality ``sign * (right - left) + reach > 0``."""
    if operation is (ast.Eq if holds else ast.NotEq):
        return [(1, 1), (-1, 1)]
    found = _SIGNS.get(operation if holds else _NEGATED.get(operation))
    if found is None:
        raise NotLinear
    return [found]


def _above(value: Linear, box: Box, needs: dict[str, None]) -> Box:
    """Return the part of a box where a value is above zero."""
    if len(value.axes) > 1:
        raise NotLinear
    base = value.step("")
    axis = next(iter(value.axes), "_tx")
    low, high = box[axis]
    if not value.axes:
        return {**box, axis: (low, f"({high} if {base.text()} > 0 else 0)")}
    ((_, unit), count), *more = value.step(axis).terms.items()
    if more:
        raise NotLinear
    if unit:
        needs[f"{unit} > 0"] = None
    size = Linear({("", unit): abs(count)})
    if count < 0:
        return {**box, axis: (low, f"min({high}, {_divided(base, size)})")}
    back = Linear({}).plus(base, -1)
    return {**box, axis: (f"max({low}, {_divided(back, size, past=True)})", high)}


def _divided(value: Linear, size: Linear, past: bool = False) -> str:
    """Return the least whole number not below (or: above) a quotient, as source text."""
    if size.constant == 1:
        return value.plus(Linear.number(int(past))).text()
    return f"{'past' if past else 'turns'}({value.text()}, {size.text()})"
