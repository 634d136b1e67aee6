"""The Python of a kernel as C++ expressions: numbers, tensors, queues and slices of tensors.

A kernel's shapes and dtypes are known when it is translated, so what depends on them only becomes
a constant; everything else stays an expression. It refuses whatever it does not know, by line.
"""

from __future__ import annotations

import ast
import inspect
import operator
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

from workbench.aicore.ascend_c.slices import Part, difference, sliced
from workbench.aicore.ascend_c.values import (
    BINARY,
    Array,
    Local,
    Number,
    Que,
    combine,
    lifted,
    number,
    rounded,
)
from workbench.aicore.findings import AICoreError, Site
from workbench.aicore.operations.regions import as_dtype

_COMPARE = {
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Is: ("==", operator.is_),
    ast.IsNot: ("!=", operator.is_not),
}


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


@cache
def _operations() -> dict[int, str]:
    """Return the names of this package's operations by the identity of what they are."""
    from workbench import aicore

    made_of_others = {"Matmul", "Softmax"}
    found = {name: getattr(aicore, name) for name in aicore.__all__ if name not in made_of_others}
    return {id(value): name for name, value in found.items() if callable(value)}


class Expressions:
    """Evaluates the expressions of one function, the kernel or a helper of it.

    Attributes
    ----------
    names : dict
        What each Python name stands for now; what is not in it is looked up where Python would.
    variables : dict
        C++ variable of each Python name that has one.
    assigned : Counter
        How often each name is assigned.
    """

    def __init__(
        self, function: Any, file: str, first_line: int, names: dict[str, Any], cores: int
    ):
        closure = inspect.getclosurevars(function)
        self.outside = {**closure.builtins, **closure.globals, **closure.nonlocals}
        self.kernel, self.file, self.first_line = function.__name__, file, first_line
        self.names, self.vector_cores = names, cores
        self.variables: dict[str, str] = {}
        self.assigned: Counter[str] = Counter()

    combine, rounded = staticmethod(combine), staticmethod(rounded)

    def assigns(self, tree: ast.AST) -> None:
        """Count what the function assigns."""
        names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
        self.assigned = Counter(node.id for node in names if isinstance(node.ctx, ast.Store))

    def of(self, node: ast.AST) -> Any:
        """Return a Number, Array, Local, Que, tuple of them, or a plain Python object."""
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

    def truth(self, node: ast.AST) -> bool | Number:
        """Return whether something holds where that is known beforehand, else its C++."""
        found = self.of(node)
        if isinstance(found, Number):
            return found if found.value is None else bool(found.value)
        return bool(found)

    def operation(self, call: ast.Call) -> str:
        """Return which of this package's operations a call means; empty for anything else."""
        if not isinstance(call.func, (ast.Name, ast.Attribute)):
            return ""
        if isinstance(call.func, ast.Attribute) and isinstance(
            self.of(call.func.value), (Array, Local, Que)
        ):
            return ""
        return _operations().get(id(self.of(call.func)), "")

    def is_pure(self, function: Any) -> bool:
        """Return whether a function may be called while translating."""
        return function is as_dtype

    def block(self) -> Number:
        """Return the number of this block."""
        if self.vector_cores > 1:
            return Number("my_block")
        return Number("static_cast<int32_t>(AscendC::GetBlockIdx())")

    def _constant(self, node):
        return lifted(node.value)

    def _name(self, node):
        if node.id in self.names:
            return self.names[node.id]
        if node.id not in self.outside:
            raise refuse(node, f"the name {node.id!r}", self)
        return lifted(self.outside[node.id])

    def _tuple(self, node):
        return tuple(self.of(one) for one in node.elts)

    def _attribute(self, node):
        base = self.of(node.value)
        if isinstance(base, (Array, Local)):
            if node.attr in ("dtype", "shape"):
                return getattr(base, node.attr)
            if node.attr == "size":
                size = number(1)
                for one in base.shape:
                    size = self.combine(ast.Mult, size, one)
                return size
        elif hasattr(base, "attribute"):
            return base.attribute(node.attr)
        elif not isinstance(base, (Number, Que)) and hasattr(base, node.attr):
            return lifted(getattr(base, node.attr))
        raise refuse(node, f"the attribute {node.attr!r}", self)

    def _binop(self, node):
        left, right = self.whole(node.left), self.whole(node.right)
        if type(node.op) not in BINARY:
            raise refuse(node, "this operator", self)
        if isinstance(node.op, ast.Pow) and (left.value is None or right.value is None):
            raise refuse(node, "a power that is not known beforehand", self)
        rounds = isinstance(node.op, (ast.FloorDiv, ast.Mod)) and left.value is None
        if (rounds and left.code.startswith("(-")) or (
            (left.value or 0) < 0 and right.value is None
        ):
            raise refuse(node, "a division of what may be negative: C++ rounds it to zero", self)
        return self.combine(type(node.op), left, right)

    def _unaryop(self, node):
        if isinstance(node.op, ast.USub):
            return self.combine(ast.Mult, number(-1), self.whole(node.operand))
        inner = self.truth(node.operand)
        return (
            number(not inner) if isinstance(inner, bool) else Number(f"!{inner.code}", None, "bool")
        )

    def _compare(self, node):
        left, right = self.of(node.left), self.of(node.comparators[0])
        sign = type(node.ops[0])
        if len(node.ops) != 1 or sign not in _COMPARE:
            raise refuse(node, "this comparison", self)
        code, function = _COMPARE[sign]
        if isinstance(left, Number) and isinstance(right, Number):
            if left.value is None or right.value is None:
                return Number(f"({left.code} {code} {right.code})", None, "bool")
            left, right = left.value, right.value
        return number(bool(function(left, right)))

    def _boolop(self, node):
        """Leave out what is known beforehand, as Python would stop at it or go on."""
        ends = isinstance(node.op, ast.Or)
        codes: list[str] = []
        found: Any = number(not ends)
        for one in node.values:
            found, known = self.of(one), self.truth(one)
            if isinstance(known, Number):
                codes.append(known.code)
            elif known == ends:
                if codes:
                    raise refuse(node, "this mixture of conditions", self)
                return found
        if not codes:
            return found
        return Number(f"({(' || ' if ends else ' && ').join(codes)})", None, "bool")

    def _ifexp(self, node):
        test = self.truth(node.test)
        if isinstance(test, bool):
            return self.of(node.body if test else node.orelse)
        yes, no = self.whole(node.body), self.whole(node.orelse)
        return Number(f"({test.code} ? {yes.code} : {no.code})", None, yes.kind)

    def _call(self, node):
        if isinstance(node.func, ast.Attribute):
            base = self.of(node.func.value)
            if isinstance(base, Array) and node.func.attr == "reshape":
                return self._reshaped(node)
            if isinstance(base, dict) and node.func.attr == "get":
                return lifted(base.get(*(self.of(one) for one in node.args)))
        callee, name = self.of(node.func), self.operation(node)
        if callee in (min, max):
            return self._extreme(callee, [self.whole(one) for one in node.args])
        if name == "block_idx":
            return self.block()
        if name == "block_num":
            return Number("static_cast<int32_t>(AscendC::GetBlockNum())")
        if name == "sub_block_idx":
            return Number("static_cast<int32_t>(AscendC::GetSubBlockIdx())")
        if name == "sub_block_num":
            return number(self.vector_cores)
        if callable(callee) and self.is_pure(callee):
            return callee(*(self.of(one) for one in node.args))
        raise refuse(node, f"the call {ast.unparse(node.func)}", self)

    def _extreme(self, function: Any, values: list[Number]) -> Number:
        known = [one.value for one in values if one.value is not None]
        if len(known) == len(values):
            return number(function(known))
        code = values[0].code
        for one in values[1:]:
            code = f"{function.__name__.title()}Of({code}, {one.code})"
        return Number(code)

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
        return sliced(base, parts)

    def _part(self, key: ast.expr, length: Number) -> Part:
        if not isinstance(key, ast.Slice):
            return Part(self.whole(key), number(1), True)
        start = number(0) if key.lower is None else self.whole(key.lower)
        stop = length if key.upper is None else self.whole(key.upper)
        return Part(start, difference(start, stop), False)
