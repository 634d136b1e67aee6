"""Memory by number, for instrumented code that must not pass arrays around.

Passing an array to a function costs two atomic reference counts, more than the access that is
being watched. So the watching functions are given integers: an element's number, an address.
These intrinsics are the bridge. They check nothing; `place_of` is what makes a number safe.
"""

# pyright: reportCallIssue=false, reportArgumentType=false
# Numba gives its intrinsics the signature of their Python function, typing context included.
from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

_INT64 = ir.IntType(64)


def _const(value: int) -> ir.Constant:
    return ir.Constant(_INT64, value)


def _whole(context, builder, signature, args):
    return arrayobj.make_array(signature.args[0])(context, builder, args[0])


@intrinsic
def place_of(typing_context, array, index):
    """Return the number of ``array[index]`` in row-major order.

    -1 where the index is outside; ``-2 - n`` where an index below zero wraps round to element n.
    """
    kinds = list(index) if isinstance(index, types.BaseTuple) else [index]
    if not isinstance(array, types.Array) or len(kinds) != array.ndim:
        return None
    if not all(isinstance(kind, types.Integer) for kind in kinds):
        return None

    def generate(context, builder, signature, args):
        whole = _whole(context, builder, signature, args)
        shape = cgutils.unpack_tuple(builder, whole.shape, array.ndim)
        is_tuple = isinstance(signature.args[1], types.BaseTuple)
        parts = cgutils.unpack_tuple(builder, args[1]) if is_tuple else [args[1]]
        flat, good, wrapped = _const(0), cgutils.true_bit, cgutils.false_bit
        for part, kind, extent in zip(parts, kinds, shape, strict=True):
            given = context.cast(builder, part, kind, types.int64)
            below = builder.icmp_signed("<", given, _const(0))
            inside = builder.select(below, builder.add(given, extent), given)
            good = builder.and_(good, builder.icmp_unsigned("<", inside, extent))
            wrapped = builder.or_(wrapped, below)
            flat = builder.add(builder.mul(flat, extent), inside)
        around = builder.select(wrapped, builder.sub(_const(-2), flat), flat)
        return builder.select(good, around, _const(-1))

    return types.int64(array, index), generate


@intrinsic
def place_in(typing_context, root, view, index):
    """Return the number that ``view[index]`` has in the contiguous array `root` it is a part of.

    -1 where the index is outside the view; ``-2 - n`` where one below zero wraps round to n.
    """
    kinds = list(index) if isinstance(index, types.BaseTuple) else [index]
    if not isinstance(root, types.Array) or not isinstance(view, types.Array):
        return None
    if root.dtype != view.dtype or len(kinds) != view.ndim:
        return None
    if not all(isinstance(kind, types.Integer) for kind in kinds):
        return None

    def generate(context, builder, signature, args):
        whole = _whole(context, builder, signature, args)
        part = arrayobj.make_array(signature.args[1])(context, builder, args[1])
        shape = cgutils.unpack_tuple(builder, part.shape, view.ndim)
        strides = cgutils.unpack_tuple(builder, part.strides, view.ndim)
        is_tuple = isinstance(signature.args[2], types.BaseTuple)
        given = cgutils.unpack_tuple(builder, args[2]) if is_tuple else [args[2]]
        start, base = builder.ptrtoint(part.data, _INT64), builder.ptrtoint(whole.data, _INT64)
        offset, good, wrapped = builder.sub(start, base), cgutils.true_bit, cgutils.false_bit
        for one, kind, extent, stride in zip(given, kinds, shape, strides, strict=True):
            number = context.cast(builder, one, kind, types.int64)
            below = builder.icmp_signed("<", number, _const(0))
            inside = builder.select(below, builder.add(number, extent), number)
            good = builder.and_(good, builder.icmp_unsigned("<", inside, extent))
            wrapped = builder.or_(wrapped, below)
            offset = builder.add(offset, builder.mul(inside, stride))
        size = context.get_abi_sizeof(context.get_data_type(root.dtype))
        flat = builder.sdiv(offset, _const(size))
        around = builder.select(wrapped, builder.sub(_const(-2), flat), flat)
        return builder.select(good, around, _const(-1))

    return types.int64(root, view, index), generate


def _element(context, builder, whole, place):
    return builder.gep(whole.data, [place])


@intrinsic
def load_flat(typing_context, array, place):
    """Return an element of a contiguous array by its number; zero for a number below zero."""
    if not isinstance(array, types.Array) or array.layout != "C":
        return None

    def generate(context, builder, signature, args):
        whole = _whole(context, builder, signature, args)
        place = context.cast(builder, args[1], signature.args[1], types.int64)
        good = builder.icmp_signed(">=", place, _const(0))
        before = builder.block
        with builder.if_then(good, likely=True):
            pointer = _element(context, builder, whole, place)
            value = arrayobj.load_item(context, builder, signature.args[0], pointer)
            inside = builder.block
        result = builder.phi(value.type)
        result.add_incoming(value, inside)
        result.add_incoming(ir.Constant(value.type, None), before)
        return result

    return array.dtype(array, place), generate


@intrinsic
def store_flat(typing_context, array, place, value):
    """Write an element of a contiguous array by its number; nothing for a number below zero."""
    if not isinstance(array, types.Array) or array.layout != "C":
        return None
    if not typing_context.can_convert(value, array.dtype):
        return None

    def generate(context, builder, signature, args):
        whole = _whole(context, builder, signature, args)
        place = context.cast(builder, args[1], signature.args[1], types.int64)
        new = context.cast(builder, args[2], signature.args[2], array.dtype)
        with builder.if_then(builder.icmp_signed(">=", place, _const(0)), likely=True):
            pointer = _element(context, builder, whole, place)
            arrayobj.store_item(context, builder, signature.args[0], new, pointer)
        return context.get_dummy_value()

    return types.none(array, place, value), generate


@intrinsic
def converted(typing_context, array, value):
    """Return `value` as the array's element type, as a store would convert it."""
    if not isinstance(array, types.Array) or not typing_context.can_convert(value, array.dtype):
        return None

    def generate(context, builder, signature, args):
        return context.cast(builder, args[1], signature.args[1], array.dtype)

    return array.dtype(array, value), generate


@intrinsic
def address_of(typing_context, array):
    """Return the address of an array's first element."""
    if not isinstance(array, types.Array):
        return None

    def generate(context, builder, signature, args):
        return builder.ptrtoint(_whole(context, builder, signature, args).data, _INT64)

    return types.int64(array), generate


@intrinsic
def code_of(typing_context, array):
    """Return the code of an array's element type, see `NUMBERS`."""
    if not isinstance(array, types.Array) or str(array.dtype) not in NUMBERS:
        return None
    code = NUMBERS.index(str(array.dtype))

    def generate(context, builder, signature, args):
        return _const(code)

    return types.int64(array), generate


def _peek(kind: types.Type):
    @intrinsic
    def peek(typing_context, address):
        def generate(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], context.get_value_type(kind).as_pointer())
            return builder.load(pointer)

        return kind(types.int64), generate

    return peek


def _poke(kind: types.Type):
    @intrinsic
    def poke(typing_context, address, value):
        def generate(context, builder, signature, args):
            new = context.cast(builder, args[1], signature.args[1], kind)
            builder.store(new, builder.inttoptr(args[0], new.type.as_pointer()))
            return context.get_dummy_value()

        return types.none(types.int64, value), generate

    return poke


@intrinsic
def itemsize_of(typing_context, array):
    """Return the bytes of an array's element, a constant of the compiled code."""
    if not isinstance(array, types.Array):
        return None

    def generate(context, builder, signature, args):
        return _const(context.get_abi_sizeof(context.get_data_type(array.dtype)))

    return types.int64(array), generate


@intrinsic
def peek_at(typing_context, address, number):
    """Return the `number`-th 64-bit integer from an address, in a form that loops vectorise."""

    def generate(context, builder, signature, args):
        start = builder.inttoptr(args[0], _INT64.as_pointer())
        return builder.load(builder.gep(start, [args[1]]))

    return types.int64(types.int64, types.int64), generate


@intrinsic
def poke_at(typing_context, address, number, value):
    """Write the `number`-th 64-bit integer from an address, in a form that loops vectorise."""

    def generate(context, builder, signature, args):
        start = builder.inttoptr(args[0], _INT64.as_pointer())
        builder.store(args[2], builder.gep(start, [args[1]]))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), generate


peek_int = _peek(types.int64)
poke_byte = _poke(types.uint8)
poke_int = _poke(types.int64)
poke_float = _poke(types.float64)

NUMBERS = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
           "uint64", "bool")  # fmt: skip
"""The element types that can be watched; the place in this table is the type's code."""
(_f4, _f8, _i1, _i2, _i4, _i8, _u1, _u2, _u4, _u8) = (
    _peek(getattr(types, name)) for name in NUMBERS[:10]
)


@njit(error_model="numpy")
def peek_value(data, element, code):
    """Return an element of the array at `data` as a float64; `code` is its type."""
    if code == 0:
        return np.float64(_f4(data + 4 * element))
    if code == 1:
        return _f8(data + 8 * element)
    if code == 2:
        return np.float64(_i1(data + element))
    if code == 3:
        return np.float64(_i2(data + 2 * element))
    if code == 4:
        return np.float64(_i4(data + 4 * element))
    if code == 5:
        return np.float64(_i8(data + 8 * element))
    if code == 7:
        return np.float64(_u2(data + 2 * element))
    if code == 8:
        return np.float64(_u4(data + 4 * element))
    if code == 9:
        return np.float64(_u8(data + 8 * element))
    return np.float64(_u1(data + element))


@njit(error_model="numpy")
def as_stored(value, code):
    """Return a float64 as an array of that type would hold it."""
    return np.float64(np.float32(value)) if code == 0 else value
