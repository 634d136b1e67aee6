"""The Python of a kernel as C++ expressions: numbers, tensors, queues and slices of tensors.

A kernel's shapes and dtypes are known when it is translated, so what depends on them only becomes
a constant; everything else stays an expression. It refuses whatever it does not know, by line.
"""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.aicore.findings import AICoreError, Site
from workbench.aicore.layouts import fractal

CPP = {
    "float16": "half",
    "bfloat16": "bfloat16_t",
    "float32": "float",
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "uint32": "uint32_t",
}
_BINARY = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.FloorDiv: ("/", operator.floordiv),
    ast.Div: ("/", operator.truediv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("", operator.pow),
}
_COMPARE = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="
}  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A scalar: its C++ code, and its value where that is known already."""

    code: str
    value: float | None = None
    kind: str = "int32_t"


@dataclass(frozen=True)
class Array:
    """A part of a global tensor."""

    name: str
    dtype: Any
    shape: tuple[Number, ...]
    strides: tuple[Number, ...]
    offset: Number


@dataclass(frozen=True)
class Local:
    """A part of a local tensor; `row` is the distance of rows in elements."""

    code: str
    dtype: Any
    buffer: str
    shape: tuple[Number, ...]
    whole: tuple[Number, ...]
    layout: str = "ND"
    row: Number = field(default=Number("0", 0))


@dataclass(frozen=True)
class Que:
    """A queue."""

    name: str
    dtype: Any
    buffer: str
    shape: tuple[Number, ...]


def number(value: Any) -> Number:
    """Return a constant."""
    if isinstance(value, bool):
        return Number("true" if value else "false", value, "bool")
    if isinstance(value, int):
        return Number(str(value), value)
    return Number(f"{float(value)!r}f", float(value), "float")


def refuse(node: ast.AST, what: str, context: Expressions) -> AICoreError:
    """Return the error for Python that has no translation, with its line."""
    line = getattr(node, "lineno", 1) + context.first_line - 1
    site = Site(context.kernel, "to_ascend_c", 0, context.file, line)
    return AICoreError(
        "kernel",
        f"to_ascend_c cannot translate {what}.",
        ast.unparse(node),
        "write it with plain loops, numbers, tensors and the operations of workbench.aicore",
        (site,),
    )


class Expressions:
    """Evaluates the expressions of one kernel.

    Attributes
    ----------
    names : dict
        What each Python name stands for now.
    """

    def __init__(self, kernel: str, file: str, first_line: int, names: dict[str, Any]):
        self.kernel, self.file, self.first_line, self.names = kernel, file, first_line, names

    def of(self, node: ast.AST) -> Any:
        """Return a Number, Array, Local, Que, tuple of them, or a plain string or dtype."""
        method = getattr(self, f"_{type(node).__name__.lower()}", None)
        if method is None:
            raise refuse(node, f"this {type(node).__name__}", self)
        return method(node)

    def whole(self, node: ast.AST) -> Number:
        """Return a scalar, or refuse."""
        found = self.of(node)
        if not isinstance(found, Number):
            raise refuse(node, "this as a number", self)
        return found

    def _constant(self, node):
        return number(node.value) if isinstance(node.value, (bool, int, float)) else node.value

    def _name(self, node):
        if node.id not in self.names:
            raise refuse(node, f"the name {node.id!r}", self)
        return self.names[node.id]

    def _tuple(self, node):
        return tuple(self.of(one) for one in node.elts)

    def _attribute(self, node):
        base = self.of(node.value)
        if node.attr == "itemsize" and hasattr(base, "itemsize"):
            return number(base.itemsize)
        if isinstance(base, (Array, Local)) and node.attr in ("dtype", "shape"):
            return getattr(base, node.attr)
        if isinstance(base, (Array, Local)) and node.attr == "size":
            size = number(1)
            for one in base.shape:
                size = self.combine(ast.Mult, size, one)
            return size
        raise refuse(node, f"the attribute {node.attr!r}", self)

    def _binop(self, node):
        left, right = self.whole(node.left), self.whole(node.right)
        if type(node.op) not in _BINARY:
            raise refuse(node, "this operator", self)
        if isinstance(node.op, ast.Pow) and (left.value is None or right.value is None):
            raise refuse(node, "a power that is not known beforehand", self)
        rounds = isinstance(node.op, (ast.FloorDiv, ast.Mod)) and left.value is None
        if (rounds and left.code.startswith("(-")) or (
            (left.value or 0) < 0 and right.value is None
        ):
            raise refuse(node, "a division of what may be negative: C++ rounds it to zero", self)
        return self.combine(type(node.op), left, right)

    def combine(self, op: type, left: Number, right: Number) -> Number:
        """Return two numbers joined by a Python operator, folded where both are known."""
        sign, function = _BINARY[op]
        if left.value is not None and right.value is not None:
            return number(function(left.value, right.value))
        neutral = {ast.Add: (0, 0), ast.Sub: (None, 0), ast.Mult: (1, 1), ast.FloorDiv: (None, 1)}
        first, second = neutral.get(op, (None, None))
        if first is not None and left.value == first:
            return right
        if second is not None and right.value == second:
            return left
        if op is ast.Mult and 0 in (left.value, right.value):
            return number(0)
        kind = "float" if "float" in (left.kind, right.kind) else "int32_t"
        return Number(f"({left.code} {sign} {right.code})", None, kind)

    def _unaryop(self, node):
        inner = self.whole(node.operand)
        if isinstance(node.op, ast.USub):
            return self.combine(ast.Mult, number(-1), inner)
        return Number(f"!{inner.code}", None, "bool")

    def _compare(self, node):
        if len(node.ops) != 1 or type(node.ops[0]) not in _COMPARE:
            raise refuse(node, "this comparison", self)
        left, right = self.whole(node.left), self.whole(node.comparators[0])
        return Number(f"({left.code} {_COMPARE[type(node.ops[0])]} {right.code})", None, "bool")

    def _boolop(self, node):
        sign = " && " if isinstance(node.op, ast.And) else " || "
        return Number(f"({sign.join(self.whole(one).code for one in node.values)})", None, "bool")

    def _ifexp(self, node):
        test, yes, no = (self.whole(one) for one in (node.test, node.body, node.orelse))
        return Number(f"({test.code} ? {yes.code} : {no.code})", None, yes.kind)

    def _call(self, node):
        name = ast.unparse(node.func)
        if name in ("min", "max"):
            values = [self.whole(one) for one in node.args]
            known = [one.value for one in values if one.value is not None]
            if len(known) == len(values):
                return number((min if name == "min" else max)(known))
            code = values[0].code
            for one in values[1:]:
                code = f"{name.title()}Of({code}, {one.code})"
            return Number(code)
        if name == "aicore.block_idx":
            return Number("static_cast<int32_t>(AscendC::GetBlockIdx())")
        if name == "aicore.block_num":
            return Number("static_cast<int32_t>(AscendC::GetBlockNum())")
        if name.endswith(".reshape"):
            return self._reshaped(node)
        raise refuse(node, f"the call {name}", self)

    def _reshaped(self, node):
        base = self.of(node.func.value)
        shape = tuple(self.whole(one) for one in node.args)
        if not isinstance(base, Array):
            raise refuse(node, "this reshape", self)
        strides, step = [], number(1)
        for one in reversed(shape):
            strides.insert(0, step)
            step = self.combine(ast.Mult, step, one)
        return replace(base, shape=shape, strides=tuple(strides))

    def _subscript(self, node):
        base = self.of(node.value)
        keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if isinstance(base, tuple):
            return base[int(self.whole(keys[0]).value or 0)]
        if not isinstance(base, (Array, Local)):
            raise refuse(node, "this index", self)
        parts = [self._part(key, length) for key, length in zip(keys, base.shape, strict=False)]
        parts += [(number(0), one, False) for one in base.shape[len(parts) :]]
        shape = tuple(count for _, count, drop in parts if not drop)
        if isinstance(base, Array):
            offset = base.offset
            for (start, _, _), stride in zip(parts, base.strides, strict=True):
                offset = self.combine(ast.Add, offset, self.combine(ast.Mult, start, stride))
            kept = zip(base.strides, parts, strict=True)
            return Array(
                base.name, base.dtype, shape, tuple(s for s, one in kept if not one[2]), offset
            )
        offset = self._local_offset(base, [start for start, _, _ in parts])
        code = base.code if offset.value == 0 else f"{base.code}[{offset.code}]"
        return replace(base, code=code, shape=shape)

    def _part(self, key, length):
        if not isinstance(key, ast.Slice):
            return self.whole(key), number(1), True
        start = number(0) if key.lower is None else self.whole(key.lower)
        stop = length if key.upper is None else self.whole(key.upper)
        if stop.code == f"({start.code} + 1)":
            return start, number(1), False
        return start, self.combine(ast.Sub, stop, start), False

    def _local_offset(self, base: Local, starts: list[Number]) -> Number:
        if base.layout == "ND":
            steps = [base.row, number(1)][-len(starts) :]
        else:
            block = fractal(base.layout, base.dtype.itemsize)
            height = self.rounded(base.whole[0], block.rows)
            # NZ and zN: blocks one below the other, then column by column
            steps = [number(block.columns), height]
        offset = number(0)
        for start, step in zip(starts, steps, strict=True):
            offset = self.combine(ast.Add, offset, self.combine(ast.Mult, start, step))
        return offset

    def rounded(self, value: Number, step: int) -> Number:
        """Return a number rounded up to a multiple of a constant."""
        more = self.combine(ast.Add, value, number(step - 1))
        return self.combine(ast.Mult, self.combine(ast.FloorDiv, more, number(step)), number(step))
