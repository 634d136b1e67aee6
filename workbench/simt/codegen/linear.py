"""Integers that are linear in the thread index: ``base + step * axis``, with uniform texts.

An index such as ``ty * n + k`` is followed as a sum of terms, each a number times uniform source
text times an axis (a thread axis, a loop, or none). Sums keep a normal form, so that two indices
written differently compare as equal. Products of two axes are refused: `NotLinear`.
"""

# Syntax trees carry attributes of ours.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass

from workbench.simt.frontend.resolved import DeviceCall, Index, Intrinsic

Term = tuple[str, str]
"""Axis ("" for none) and uniform text ("" for the number one)."""

_THREAD = {"threadIdx.x": "_tx", "threadIdx.y": "_ty", "threadIdx.z": "_tz"}


class NotLinear(Exception):
    """An expression, a guard or a loop follows no straight line."""


@dataclass(frozen=True)
class Linear:
    """A sum of terms.

    Attributes
    ----------
    terms : dict
        `Term` -> number, no zeros.
    """

    terms: dict[Term, int]

    @staticmethod
    def number(value: int) -> Linear:
        """Return a plain number."""
        return Linear({("", ""): value} if value else {})

    @staticmethod
    def uniform(text: str) -> Linear:
        """Return a value that is the same in every thread, as source text."""
        return Linear({("", text): 1})

    @staticmethod
    def axis(name: str) -> Linear:
        """Return the position on an axis."""
        return Linear({(name, ""): 1})

    @property
    def axes(self) -> set[str]:
        """The axes it depends on."""
        return {axis for axis, _ in self.terms if axis}

    @property
    def constant(self) -> int | None:
        """Its value, where it is a plain number."""
        return self.terms.get(("", ""), 0) if set(self.terms) <= {("", "")} else None

    def plus(self, other: Linear, sign: int = 1) -> Linear:
        """Return the sum, or the difference."""
        terms = dict(self.terms)
        for term, count in other.terms.items():
            terms[term] = terms.get(term, 0) + sign * count
        return Linear({term: count for term, count in terms.items() if count})

    def times(self, other: Linear) -> Linear:
        """Return the product; one of the two must depend on no axis.

        Raises
        ------
        NotLinear
        """
        if self.axes and other.axes:
            raise NotLinear
        terms: dict[Term, int] = {}
        for (axis, text), count in self.terms.items():
            for (axis2, text2), count2 in other.terms.items():
                factors = sorted(part for part in (text, text2) if part)
                term = (axis or axis2, " * ".join(factors))
                terms[term] = terms.get(term, 0) + count * count2
        return Linear({term: count for term, count in terms.items() if count})

    def step(self, axis: str) -> Linear:
        """Return by how much it grows along an axis ("": what it is at the origin)."""
        return Linear({("", text): n for (name, text), n in self.terms.items() if name == axis})

    def text(self) -> str:
        """Return a value without axes as source text."""
        parts = [
            str(count) if not text else text if count == 1 else f"{count} * {text}"
            for (_, text), count in sorted(self.terms.items())
        ]
        return f"({' + '.join(parts)})" if len(parts) > 1 else parts[0] if parts else "0"


class LinearReader:
    """Reads expressions of one region as `Linear`.

    Parameters
    ----------
    block : tuple of int
    uniform : callable
        ``uniform(name)``: whether a name is an integer that all threads share in the region.
    constant : callable
        ``constant(node)``: the value of an expression of plain integers, or None.
    is_array : callable
        ``is_array(name)``: whether a name holds one array all along the region.
    text : callable
        ``text(node)``: an expression as the generated module says it.
    """

    def __init__(
        self, block: tuple, uniform: Callable, constant: Callable, is_array: Callable,
        text: Callable,
    ):  # fmt: skip
        self.block, self.uniform, self.constant = block, uniform, constant
        self.is_array, self.text = is_array, text
        self.names: dict[str, Linear] = {}

    def of(self, node: ast.AST) -> Linear:
        """Return an expression.

        Raises
        ------
        NotLinear
        """
        value = self.constant(node)
        if value is not None:
            return Linear.number(value)
        if isinstance(node, ast.Name) and node.id in self.names:
            return self.names[node.id]
        if isinstance(node, Index):
            return self._index(node)
        if isinstance(node, Intrinsic) and node.intrinsic.name == "grid":
            if self.constant(node.args[0]) == 1:
                return self.grid(0)
            raise NotLinear
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return Linear({}).plus(self.of(node.operand), -1)
        if self._is_uniform(node):
            return Linear.uniform(f"({self.text(node)})" if _compound(node) else self.text(node))
        if isinstance(node, ast.BinOp):
            return self._operation(node)
        raise NotLinear

    def grid(self, axis: int) -> Linear:
        """Return ``cuda.grid(n)[axis]``."""
        start = Linear({("", f"_b{'xyz'[axis]}"): self.block[axis]})
        return start.plus(self._thread(axis))

    def _thread(self, axis: int) -> Linear:
        one = self.block[axis] == 1
        return Linear.number(0) if one else Linear.axis(f"_t{'xyz'[axis]}")

    def _index(self, node: Index) -> Linear:
        if node.name in _THREAD:
            return self._thread("xyz".index(node.name[-1]))
        if node.name.startswith(("blockIdx", "gridDim")):
            return Linear.uniform(self.text(node))
        raise NotLinear

    def _operation(self, node: ast.BinOp) -> Linear:
        if isinstance(node.op, (ast.Add, ast.Sub)):
            sign = 1 if isinstance(node.op, ast.Add) else -1
            return self.of(node.left).plus(self.of(node.right), sign)
        if isinstance(node.op, ast.Mult):
            return self.of(node.left).times(self.of(node.right))
        raise NotLinear

    def _is_uniform(self, node: ast.AST) -> bool:
        """Return whether an integer is made of uniform parts that need no rearranging."""
        if isinstance(node, ast.Name):
            return self.uniform(node.id)
        if isinstance(node, ast.Attribute):
            return node.attr == "size" and self._names_array(node.value)
        if isinstance(node, ast.Subscript):
            shape = node.value
            of_array = isinstance(shape, ast.Attribute) and shape.attr == "shape"
            return of_array and self._names_array(shape.value) and self._is_plain(node.slice)
        if isinstance(node, ast.Call):
            known = isinstance(node.func, ast.Name) and node.func.id in ("min", "max", "len")
            return known and all(self._is_plain(arg) or self._names_array(arg) for arg in node.args)
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, (ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift, ast.BitAnd)
        ):
            return self._is_plain(node.left) and self._is_plain(node.right)
        return (
            isinstance(node, Intrinsic)
            and node.intrinsic.name == "gridsize"
            and bool(self.constant(node.args[0]) == 1)
        )

    def _names_array(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and self.is_array(node.id)

    def _is_plain(self, node: ast.AST) -> bool:
        if any(isinstance(part, DeviceCall) for part in ast.walk(node)):
            return False
        try:
            return not self.of(node).axes
        except NotLinear:
            return False


def _compound(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp)
