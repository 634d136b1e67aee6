"""Expressions in lockstep: what a tree is worth in every lane of a mask.

Free names mean what they mean to Python when the kernel runs, exactly as the front end resolved
them. Lanes outside the mask may hold anything: nobody looks at it.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

import numba
import numpy as np

from workbench.simt.compiled.run import out_of_bounds
from workbench.simt.frontend.resolved import Index
from workbench.simt.frontend.source import MISSING
from workbench.simt.library.vectors import VECTORS
from workbench.simt.lockstep.arrays import Outside, View
from workbench.simt.lockstep.functions import FUNCTIONS
from workbench.simt.lockstep.numbers import (
    CannotLockstep,
    binary,
    cast,
    choose,
    compare,
    is_number,
    numbers,
    strong,
    truth,
    unary,
)
from workbench.simt.lockstep.state import State
from workbench.simt.types import as_dtype


class Expressions(State):
    """What expressions are worth."""

    def value(self, node: ast.AST, mask: np.ndarray) -> Any:
        """Return an expression's value in the lanes of a mask."""
        handler = getattr(self, f"_of_{type(node).__name__}", None)
        if handler is None:
            raise CannotLockstep(f"a {type(node).__name__}")
        return handler(node, mask)

    # -- names

    def _of_Constant(self, node: ast.Constant, mask: np.ndarray) -> Any:
        return None if node.value is None else strong(node.value)

    def _of_Name(self, node: ast.Name, mask: np.ndarray) -> Any:
        known = self.frame.names.get(node.id)
        if known is not None:
            return known[0]
        return self._free(node)

    def _free(self, node: ast.AST) -> Any:
        value = self.meaning(node)
        if value is MISSING:
            raise CannotLockstep(f"{ast.unparse(node)}, which no thread has set")
        return View(frozen(value)) if isinstance(value, np.ndarray) else strong(value)

    def _of_Attribute(self, node: ast.Attribute, mask: np.ndarray) -> Any:
        if self.meaning(node) is not MISSING:
            return self._free(node)
        owner = self.value(node.value, mask)
        if isinstance(owner, View):
            if node.attr == "shape":
                return owner.shape
            if node.attr == "size":
                return np.int64(1) if not owner.shape else _product(owner.shape)
            if node.attr == "ndim":
                return np.int64(len(owner.shape))
        fields = ("real", "imag") if is_number(owner) else getattr(owner, "_fields", ())
        if node.attr in fields:
            return getattr(owner, node.attr)
        raise CannotLockstep(f"the attribute {node.attr}")

    def _of_Index(self, node: Index, mask: np.ndarray) -> Any:
        return self.lanes.index(node.name)

    def _of_Tuple(self, node: ast.Tuple, mask: np.ndarray) -> tuple:
        return tuple(self.value(part, mask) for part in node.elts)

    # -- operators

    def _of_BinOp(self, node: ast.BinOp, mask: np.ndarray) -> Any:
        literal = node.right.value if isinstance(node.right, ast.Constant) else None
        exponent = literal if type(literal) is int else None
        left, right = self.value(node.left, mask), self.value(node.right, mask)
        if isinstance(left, tuple) and isinstance(right, tuple) and isinstance(node.op, ast.Add):
            return left + right
        return binary(node.op, left, right, exponent)

    def _of_UnaryOp(self, node: ast.UnaryOp, mask: np.ndarray) -> Any:
        return unary(node.op, self.value(node.operand, mask))

    def _of_Compare(self, node: ast.Compare, mask: np.ndarray) -> Any:
        result, left = None, self.value(node.left, mask)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.value(right_node, mask)
            if isinstance(op, (ast.Is, ast.IsNot)) and (left is None or right is None):
                found: Any = np.bool_((left is right) == isinstance(op, ast.Is))
            else:
                found = compare(op, left, right)
            result = found if result is None else result & found
            left = right
        return result

    def _of_BoolOp(self, node: ast.BoolOp, mask: np.ndarray) -> Any:
        """Each operand is evaluated only by the lanes that come to it."""
        result = self.value(node.values[0], mask)
        asked: Any = mask
        for part in node.values[1:]:
            held, failed = self.split(asked, truth(result))
            asked = held if isinstance(node.op, ast.And) else failed
            if asked is None:
                return result
            value = self.value(part, asked)
            result = value if asked is mask else choose(asked, value, result)
        return result

    def _of_IfExp(self, node: ast.IfExp, mask: np.ndarray) -> Any:
        taken, other = self.split(mask, truth(self.value(node.test, mask)))
        if other is None or taken is None:
            return self.value(node.body if other is None else node.orelse, mask)
        return choose(taken, self.value(node.body, taken), self.value(node.orelse, other))

    # -- arrays

    def place(self, node: ast.Subscript, mask: np.ndarray) -> tuple[View, tuple]:
        """Return the array of an element and where in its base the element is."""
        view = self.value(node.value, mask)
        if not isinstance(view, View):
            raise CannotLockstep(f"an element of {ast.unparse(node.value)}")
        index = self._index(node.slice, mask)
        return view, self._checked(node, mask, lambda: view.element(index, mask))

    def _checked(self, node: Any, mask: np.ndarray, access: Any) -> Any:
        try:
            return access()
        except Outside as error:
            lane, axis, index, extent = error.args
            site = getattr(node, "site", None)
            text = site.text if site is not None else ast.unparse(node)
            thread, block = self.lanes.who(lane)
            raise out_of_bounds(thread, block, node.lineno, text, index, axis, extent) from None

    def _index(self, node: ast.expr, mask: np.ndarray) -> tuple:
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        found: list[Any] = []
        for part in parts:
            if isinstance(part, ast.Slice):
                ends = (part.lower, part.upper, part.step)
                found.append(slice(*(None if e is None else self.value(e, mask) for e in ends)))
            else:
                value = self.value(part, mask)
                found += value if isinstance(value, tuple) else [value]
        return tuple(found)

    def _of_Subscript(self, node: ast.Subscript, mask: np.ndarray) -> Any:
        owner = self.value(node.value, mask)
        index = self._index(node.slice, mask)
        if isinstance(owner, tuple):
            at = index[0]
            if len(index) != 1 or not is_number(at) or at.ndim:
                raise CannotLockstep("a tuple that every thread indexes its own way")
            return owner[int(at)]
        if not isinstance(owner, View):
            raise CannotLockstep(f"an element of a {type(owner).__name__}")
        whole = len(index) == len(owner.open) and not any(isinstance(p, slice) for p in index)
        if not whole:
            return self._checked(node, mask, lambda: owner.part(index, mask))
        return owner.load(self._checked(node, mask, lambda: owner.element(index, mask)))

    # -- calls

    def _same_bits(self, node: Any, mask: np.ndarray) -> Any:
        """Return a number's bits as a number of another type of the same size."""
        value, kind = self.value(node.func.value, mask), self.meaning(node.args[0])
        numbers(value)
        if kind is MISSING or as_dtype(kind).itemsize != value.dtype.itemsize:
            raise CannotLockstep(f"{ast.unparse(node)}")
        return value.view(as_dtype(kind))

    def _of_Call(self, node: ast.Call, mask: np.ndarray) -> Any:
        function = self.meaning(node.func)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "view":
            return self._same_bits(node, mask)
        if function is MISSING or node.keywords:
            raise CannotLockstep(f"a call of {ast.unparse(node.func)}")
        args = [self.value(arg, mask) for arg in node.args]
        if function is len and len(args) == 1:
            return args[0].shape[0] if isinstance(args[0], View) else np.int64(len(args[0]))
        if isinstance(function, numba.types.Type) or _is_scalar_type(function):
            if len(args) != 1:
                raise CannotLockstep(f"a conversion of {len(args)} values")
            return cast(args[0], as_dtype(function))
        if isinstance(function, np.ufunc):
            numbers(*args)
            return function(*args)
        if VECTORS.get(getattr(function, "__name__", "")) is function:
            return _vector(function, args)
        try:
            known = FUNCTIONS.get(function)
        except TypeError:  # not hashable: nothing of ours
            known = None
        if known is None:
            raise CannotLockstep(f"a call of {ast.unparse(node.func)}")
        return known(*args)


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a view of an array that cannot be written."""
    view = array.view()
    view.flags.writeable = False
    return view


def _vector(constructor: Any, args: list) -> Any:
    """Return one of CUDA's vectors, made of numbers and shorter vectors."""
    parts = [part for arg in args for part in (arg if isinstance(arg, tuple) else (arg,))]
    if len(parts) != len(constructor.record._fields):
        raise CannotLockstep(f"{constructor.__name__} of {len(parts)} numbers")
    return constructor.record(*(cast(part, constructor.convert) for part in parts))


def _product(extents: tuple) -> Any:
    result = extents[0]
    for extent in extents[1:]:
        result = result * extent
    return result


def _is_scalar_type(function: Any) -> bool:
    return isinstance(function, type) and issubclass(function, np.generic)
