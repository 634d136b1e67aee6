"""Half precision for Numba's CPU compiler, which has none: importing this teaches it the type.

A half is 16 bits in memory and in registers; `half_operations` has what is computed with it.
Conversions are the processor's where it has them (F16C, AArch64), else integer arithmetic.
Only typing and lowering for `float16`, which Numba otherwise refuses, is added to Numba.
"""

# Numba and llvmlite are not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportOptionalCall=false

from __future__ import annotations

import platform

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import boxing, pythonapi
from numba.core.datamodel.models import FloatModel, PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.core.imputils import lower_cast, lower_constant

HALF = types.float16
BITS, _SINGLE, DOUBLE = ir.IntType(16), ir.FloatType(), ir.DoubleType()
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_CONVERTS = platform.machine() in ("aarch64", "arm64") or bool(
    llvm.get_host_cpu_features().get("f16c")
)


@register_default(types.Float)
class _FloatModel(FloatModel):
    """Numba's model of floats, with 16 bits for the one it lacks."""

    def __init__(self, dmm, fe_type):
        if fe_type == HALF:
            PrimitiveModel.__init__(self, dmm, fe_type, BITS)
        else:
            super().__init__(dmm, fe_type)


@njit
def _single_of(bits):
    """Return the bits of the float32 that a half is."""
    sign, exponent, mantissa = (bits & 0x8000) << 16, (bits >> 10) & 31, bits & 0x3FF
    if exponent == 31:
        return sign | 0x7F800000 | (mantissa << 13)
    if exponent:
        return sign | ((exponent + 112) << 23) | (mantissa << 13)
    if not mantissa:
        return sign
    shift = 0
    while not mantissa & 0x400:
        mantissa <<= 1
        shift += 1
    return sign | ((113 - shift) << 23) | ((mantissa & 0x3FF) << 13)


@njit
def _half_of(bits):
    """Return the bits of the half nearest to a float32, ties to even."""
    sign, size = (bits >> 16) & 0x8000, bits & 0x7FFFFFFF
    if size > 0x7F800000:
        return sign | 0x7E00 | ((size >> 13) & 0x3FF)
    if size >= 0x477FF000:  # 65520 and above round to infinity
        return sign | 0x7C00
    if size < 0x33000000:  # below half of the smallest half
        return sign
    exponent = size >> 23
    mantissa = (size & 0x7FFFFF) | 0x800000
    shift = 13 if exponent >= 113 else 126 - exponent
    kept = mantissa >> shift
    left, tie = mantissa & ((1 << shift) - 1), 1 << (shift - 1)
    if left > tie or (left == tie and kept & 1):
        kept += 1
    return sign | (kept + ((exponent - 113) << 10) if exponent >= 113 else kept)


def _bits_through(function, context, builder, value, wide_in):
    """Return `function` of some bits, by integer arithmetic."""
    wide = builder.zext(value, _INT64)
    found = context.compile_internal(builder, function.py_func, types.int64(types.int64), [wide])
    return builder.trunc(found, wide_in)


def to_single(context, builder, value):
    """Return a half as a float32: exact."""
    if _CONVERTS:
        return builder.fpext(builder.bitcast(value, ir.HalfType()), _SINGLE)
    return builder.bitcast(_bits_through(_single_of, context, builder, value, _INT32), _SINGLE)


def from_single(context, builder, value):
    """Return the half nearest to a float32."""
    if _CONVERTS:
        return builder.bitcast(builder.fptrunc(value, ir.HalfType()), BITS)
    bits = builder.bitcast(value, _INT32)
    return _bits_through(_half_of, context, builder, bits, BITS)


def from_double(context, builder, value):
    """Return the half nearest to a float64: by way of a float32 rounded to odd, which is exact."""
    single = builder.fptrunc(value, _SINGLE)
    back = builder.fpext(single, DOUBLE)
    bits = builder.bitcast(single, _INT32)
    absolute = ir.FunctionType(DOUBLE, [DOUBLE])
    fabs = builder.module.declare_intrinsic("llvm.fabs", [DOUBLE], absolute)
    beyond = builder.fcmp_ordered(">", builder.call(fabs, [back]), builder.call(fabs, [value]))
    inward = builder.select(beyond, builder.sub(bits, ir.Constant(_INT32, 1)), bits)
    odd = builder.or_(inward, ir.Constant(_INT32, 1))
    inexact = builder.fcmp_ordered("!=", back, value)
    return from_single(
        context, builder, builder.bitcast(builder.select(inexact, odd, bits), _SINGLE)
    )


@lower_cast(HALF, types.Float)
def _widened(context, builder, from_type, to_type, value):
    if to_type == HALF:
        return value
    single = to_single(context, builder, value)
    return single if to_type == types.float32 else builder.fpext(single, DOUBLE)


@lower_cast(HALF, types.Integer)
@lower_cast(HALF, types.Boolean)
@lower_cast(HALF, types.Complex)
def _through_single(context, builder, from_type, to_type, value):
    single = to_single(context, builder, value)
    return context.cast(builder, single, types.float32, to_type)


@lower_cast(types.Float, HALF)
def _narrowed(context, builder, from_type, to_type, value):
    if from_type == types.float64:
        return from_double(context, builder, value)
    return from_single(context, builder, value) if from_type == types.float32 else value


@lower_cast(types.Integer, HALF)
@lower_cast(types.Boolean, HALF)
def _from_whole(context, builder, from_type, to_type, value):
    double = context.cast(builder, value, from_type, types.float64)
    return from_double(context, builder, double)


@lower_constant(HALF)
def _constant(context, builder, kind, value):
    return ir.Constant(BITS, int(np.float16(value).view(np.uint16)))


def _unboxed(kind, value, c):
    if kind != HALF:
        return boxing.unbox_float(kind, value, c)
    number = c.pyapi.number_float(value)
    double = c.pyapi.float_as_double(number)
    c.pyapi.decref(number)
    half = from_double(c.context, c.builder, double)
    return pythonapi.NativeValue(half, is_error=c.pyapi.c_api_error())


def _boxed(kind, value, c):
    if kind != HALF:
        return boxing.box_float(kind, value, c)
    single = to_single(c.context, c.builder, value)
    return c.pyapi.float_from_double(c.builder.fpext(single, DOUBLE))


pythonapi._boxers.functions[types.Float] = _boxed
pythonapi._unboxers.functions[types.Float] = _unboxed
