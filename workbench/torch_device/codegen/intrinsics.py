"""Small words for kernels' text: typed pointers from addresses, bit casts, 16-bit floats.

Numba has no float16 or bfloat16 arithmetic on CPUs, so kernels load them as float32 and round once
when they store, as PyTorch's CPU kernels do. It refuses to know any operator.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportCallIssue=false

from __future__ import annotations

import llvmlite.ir as ir
from numba import njit, types
from numba.extending import intrinsic

_POINTERS = {
    "f4": types.float32,
    "f8": types.float64,
    "i1": types.int8,
    "i2": types.int16,
    "i4": types.int32,
    "i8": types.int64,
    "u1": types.uint8,
    "u2": types.uint16,
    "u4": types.uint32,
    "u8": types.uint64,
    "c8": types.complex64,
    "c16": types.complex128,
}


def _pointer(kind: types.Type):
    target = types.CPointer(kind)

    @intrinsic
    def cast(typing_context, address):
        def generate(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], context.get_value_type(target))

        return target(types.int64), generate

    return cast


p_f4, p_f8, p_i1, p_i2, p_i4, p_i8, p_u1, p_u2, p_u4, p_u8, p_c8, p_c16 = map(
    _pointer, _POINTERS.values()
)
f4, f8, c8, c16 = types.float32, types.float64, types.complex64, types.complex128
i1, i2, i4, i8 = types.int8, types.int16, types.int32, types.int64
u1, u2, u4, u8 = types.uint8, types.uint16, types.uint32, types.uint64


def _bits(result: types.Type, given: types.Type):
    @intrinsic
    def cast(typing_context, value):
        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(result))

        return result(given), generate

    return cast


f8_of_bits = _bits(types.float64, types.int64)
f4_of_bits = _bits(types.float32, types.int32)
bits_of_f4 = _bits(types.int32, types.float32)
bits_of_f8 = _bits(types.int64, types.float64)


@intrinsic
def half_to_f4(typing_context, value):
    """Widen the bits of a float16."""

    def generate(context, builder, signature, arguments):
        half = builder.bitcast(arguments[0], ir.HalfType())
        return builder.fpext(half, ir.FloatType())

    return types.float32(types.uint16), generate


@intrinsic
def f4_to_half(typing_context, value):
    """Round a float32 to the bits of a float16."""

    def generate(context, builder, signature, arguments):
        half = builder.fptrunc(arguments[0], ir.HalfType())
        return builder.bitcast(half, ir.IntType(16))

    return types.uint16(types.float32), generate


@njit(inline="always")
def brain_to_f4(value):
    """Widen the bits of a bfloat16: they are the upper half of a float32."""
    return f4_of_bits(types.int32(types.uint32(value) << types.uint32(16)))


@njit(inline="always")
def f4_to_brain(value):
    """Round a float32 to a bfloat16, ties to even; NaN stays NaN."""
    bits = types.uint32(bits_of_f4(value))
    rounded = bits + types.uint32(0x7FFF) + ((bits >> types.uint32(16)) & types.uint32(1))
    nan = (bits & types.uint32(0x7FFFFFFF)) > types.uint32(0x7F800000)
    return types.uint16((types.uint32(0x7FC00000) if nan else rounded) >> types.uint32(16))


def _extreme(which: str, *flags: str):
    @intrinsic
    def choose(typing_context, a, b):
        def generate(context, builder, signature, arguments):
            kind = context.get_value_type(signature.return_type)
            function = builder.module.declare_intrinsic(
                f"llvm.{which}", [kind], ir.FunctionType(kind, [kind, kind])
            )
            return builder.call(function, arguments, fastmath=flags)

        return a(a, a), generate

    return choose


maximum, minimum = _extreme("maximum"), _extreme("minimum")
"""The larger or smaller of two floats, NaN where one of them is."""
maxnum, minnum = _extreme("maxnum", "nnan", "nsz"), _extreme("minnum", "nnan", "nsz")
"""The same where neither is NaN: one instruction. With NaN the result must not be used."""


@intrinsic
def number_or_zero(typing_context, x):
    """Return a float, or zero where it is NaN."""

    def generate(context, builder, signature, arguments):
        zero = ir.Constant(context.get_value_type(signature.return_type), 0.0)
        is_number = builder.fcmp_ordered("ord", arguments[0], arguments[0])
        return builder.select(is_number, arguments[0], zero)

    return x(x), generate


@intrinsic
def call_kernel(typing_context, address, words):
    """Call another kernel by its address."""

    def generate(context, builder, signature, arguments):
        i64 = ir.IntType(64)
        kind = ir.FunctionType(i64, [i64.as_pointer()])
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        return builder.call(function, [arguments[1]])

    return types.int64(types.int64, types.CPointer(types.int64)), generate


@intrinsic
def call_with(typing_context, address, arguments):
    """Call a C function with a tuple of words: one of Python's, the C library's or OpenMP's."""
    count = len(arguments)

    def generate(context, builder, signature, given):
        i64 = ir.IntType(64)
        function = builder.inttoptr(given[0], ir.FunctionType(i64, [i64] * count).as_pointer())
        return builder.call(function, [builder.extract_value(given[1], i) for i in range(count)])

    return types.int64(types.int64, types.UniTuple(types.int64, count)), generate


@intrinsic
def address_of(typing_context, words):
    """Return a pointer's address."""

    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], ir.IntType(64))

    return types.int64(types.CPointer(types.int64)), generate


@intrinsic
def swap_if(typing_context, address, expected, new):
    """Atomically replace the word at an address if it is as expected; return what it was."""

    def generate(context, builder, signature, arguments):
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        found = builder.cmpxchg(place, arguments[1], arguments[2], "seq_cst")
        return builder.extract_value(found, 0)

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def add_to(typing_context, address, amount):
    """Atomically add to the word at an address; return what it was."""

    def generate(context, builder, signature, arguments):
        place = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", place, arguments[1], "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def offset_words(typing_context, words, count):
    """Return the address of a later word."""

    def generate(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return types.CPointer(types.int64)(types.CPointer(types.int64), types.int64), generate


__all__ = [
    "add_to",
    "address_of",
    "bits_of_f4",
    "bits_of_f8",
    "brain_to_f4",
    "c8",
    "c16",
    "call_kernel",
    "call_with",
    "f4",
    "f4_of_bits",
    "f4_to_brain",
    "f4_to_half",
    "f8",
    "f8_of_bits",
    "half_to_f4",
    "i1",
    "i2",
    "i4",
    "i8",
    "maximum",
    "maxnum",
    "minimum",
    "minnum",
    "number_or_zero",
    "offset_words",
    "p_c8",
    "p_c16",
    "p_f4",
    "p_f8",
    "p_i1",
    "p_i2",
    "p_i4",
    "p_i8",
    "p_u1",
    "p_u2",
    "p_u4",
    "p_u8",
    "swap_if",
    "u1",
    "u2",
    "u4",
    "u8",
]  # fmt: skip
