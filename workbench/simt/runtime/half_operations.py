"""What operators and a few functions mean on halves: importing this teaches it to Numba.

Every operation computes in float32 (functions of `math` in float64) and rounds once to the nearest
half, which gives the correctly rounded result of +, -, *, / and sqrt (24 >= 2 * 11 + 2 bits,
Figueroa 1995): what the hardware gives, and what NumPy gives in the lockstep tier. With a wider
operand the result has NumPy's type.
"""

# Numba and llvmlite are not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportOptionalCall=false

from __future__ import annotations

import math
import operator
from typing import ClassVar

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.np.numpy_support import as_dtype, from_dtype

from workbench.simt.runtime.halves import BITS, DOUBLE, HALF, from_double, from_single, to_single


def common(*kinds):
    """Return the type that NumPy computes in, or None where a half does not take part."""
    kinds = [types.unliteral(kind) for kind in kinds]
    if HALF not in kinds or not all(isinstance(k, (types.Number, types.Boolean)) for k in kinds):
        return None
    return from_dtype(np.result_type(*(as_dtype(kind) for kind in kinds)))


def _template(function, result=None):
    class Template(AbstractTemplate):
        """Types an operation in which a half takes part, before Numba's own templates do."""

        metadata: ClassVar = {"target": "cpu"}

        def generic(self, args, kws):
            kind = None if kws else common(*args)
            return kind and signature(result or kind, *(kind,) * len(args))

    infer_global(function)(Template)


def _lowered(function, arity, make, result=HALF):
    """Lower a function of halves to one of float32: ``make(context, builder, values)``."""

    def generate(context, builder, signature_, args):
        singles = [to_single(context, builder, value) for value in args]
        found = make(context, builder, singles)
        return from_single(context, builder, found) if result == HALF else found

    lower_builtin(function, *(HALF,) * arity)(generate)


def _as_float32(function, arity, result=types.float32):
    """Return what Numba does for float32, as `_lowered` wants it."""
    kinds = signature(result, *(types.float32,) * arity)

    def make(context, builder, values):
        context.typing_context.resolve_function_type(
            context.typing_context.resolve_value_type(function), kinds.args, {}
        )
        return context.get_function(function, kinds)(builder, values)

    return make


def _as_float64(function):
    """Return what Numba does for float64, rounded once to a half."""
    kinds = signature(types.float64, types.float64)

    def generate(context, builder, signature_, args):
        double = builder.fpext(to_single(context, builder, args[0]), DOUBLE)
        return from_double(
            context, builder, context.get_function(function, kinds)(builder, [double])
        )

    lower_builtin(function, HALF)(generate)


_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge")
_MATH = ("sqrt", "sin", "cos", "exp", "log", "log2", "log10", "fabs")
"""What `math` keeps a half for on a GPU; of any other function a half is a float32."""

for _name in _ARITHMETIC:
    for _one in (getattr(operator, _name), getattr(operator, f"i{_name}")):
        _template(_one)
        _lowered(_one, 2, _as_float32(getattr(operator, _name), 2))
for _name in _COMPARED:
    _one = getattr(operator, _name)
    _template(_one, types.boolean)
    _lowered(_one, 2, _as_float32(_one, 2, types.boolean), types.boolean)
for _name in _MATH:
    _template(getattr(math, _name))
    _as_float64(getattr(math, _name))


@lower_builtin(bool, HALF)
def _is_true(context, builder, signature_, args):
    size = builder.and_(args[0], ir.Constant(BITS, 0x7FFF))
    return builder.icmp_unsigned("!=", size, ir.Constant(BITS, 0))


@lower_builtin(float, HALF)
def _as_python_float(context, builder, signature_, args):
    return builder.fpext(to_single(context, builder, args[0]), DOUBLE)


@infer_global(float)
class _PythonFloat(AbstractTemplate):
    """``float(half)`` is a float64, as for every other number in the engine's tiers."""

    metadata: ClassVar = {"target": "cpu"}

    def generic(self, args, kws):
        return signature(types.float64, HALF) if args == (HALF,) else None


@lower_builtin(operator.neg, HALF)
def _negated(context, builder, signature_, args):
    return builder.xor(args[0], ir.Constant(BITS, 0x8000))


@lower_builtin(operator.pos, HALF)
def _same(context, builder, signature_, args):
    return args[0]


@lower_builtin(abs, HALF)
def _absolute(context, builder, signature_, args):
    return builder.and_(args[0], ir.Constant(BITS, 0x7FFF))


for _one in (operator.neg, operator.pos, abs):
    _template(_one)
