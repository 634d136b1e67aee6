"""Whether an expression of a kernel is a float, told from its parts, without inference."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

from numba import types

from workbench.simt.codegen.linear import LinearReader, NotLinear
from workbench.simt.codegen.names import is_math
from workbench.simt.codegen.translate import Translator

_FLOATS = ("cos", "erf", "exp", "expm1", "fabs", "log", "log10", "log1p", "log2", "pow", "sin",
           "sqrt", "tan", "tanh")  # fmt: skip
"""Functions of `math` that return a float whatever they are given."""


def is_float(node: ast.AST, reader: LinearReader, translator: Translator) -> bool | None:
    """Return whether an expression is a float; None where that is not plain to see."""
    if isinstance(node, ast.BinOp):
        sides = is_float(node.left, reader, translator), is_float(node.right, reader, translator)
        if None in sides:
            return None
        return isinstance(node.op, ast.Div) or True in sides
    if isinstance(node, ast.UnaryOp):
        return is_float(node.operand, reader, translator)
    if isinstance(node, ast.IfExp):
        sides = is_float(node.body, reader, translator), is_float(node.orelse, reader, translator)
        return None if None in sides else True in sides
    if isinstance(node, ast.Call) and is_math(node.func, translator.lookup):
        return True if getattr(node.func, "attr", "") in _FLOATS else None
    return _is_float_leaf(node, reader, translator)


def _is_float_leaf(node: ast.AST, reader: LinearReader, translator: Translator) -> bool | None:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, float)
    if isinstance(node, ast.Name) and node.id not in translator.kinds:
        value: Any = translator.lookup(node)
        return isinstance(value, float) if isinstance(value, (int, float)) else None
    if isinstance(node, ast.Name):
        return _float_kind(translator.kinds[node.id])
    if isinstance(node, ast.Subscript) and hasattr(node, "site"):
        kind = translator.kinds.get(getattr(node.value, "id", ""))
        return _float_kind(getattr(kind, "dtype", None))
    try:
        reader.of(node)
    except NotLinear:
        return None
    return False


def _float_kind(kind: Any) -> bool | None:
    if isinstance(kind, types.Float):
        return True
    return False if isinstance(kind, (types.Integer, types.Boolean)) else None
