"""Memory by address: what a thread keeps in its frame, and a block's arrays.

A launch gives every block in flight one stretch of memory, found by number. These intrinsics read
and write values there and make arrays of parts of it. They own nothing and count no references: the
launch keeps the memory, and the arguments that views point into, alive.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.simt.runtime.control import const

ALIGNMENT = 16


def cell(kind: types.Type) -> tuple[Any, Any]:
    """Return ``take(address)`` and ``put(address, value)`` for values of a Numba type."""

    @intrinsic
    def take(typing_context, address):
        def generate(context, builder, signature, args):
            return _unowned(context, builder, kind, _unpacked(context, builder, args[0]))

        return kind(types.int64), generate

    def _unpacked(context, builder, address):
        pointer = builder.inttoptr(address, context.get_data_type(kind).as_pointer())
        return context.unpack_value(builder, kind, pointer)

    @intrinsic
    def put(typing_context, address, value):
        if not typing_context.can_convert(value, kind):
            return None

        def generate(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], context.get_data_type(kind).as_pointer())
            new = context.cast(builder, args[1], signature.args[1], kind)
            context.pack_value(builder, kind, _unowned(context, builder, kind, new), pointer)
            return context.get_dummy_value()

        return types.none(types.int64, value), generate

    return take, put


def _unowned(context, builder, kind: types.Type, value):
    """Return an array that counts no references; other values as they are."""
    if not isinstance(kind, types.Array):
        return value
    whole = arrayobj.make_array(kind)(context, builder, value)
    whole.meminfo = cgutils.get_null_value(whole.meminfo.type)
    whole.parent = cgutils.get_null_value(whole.parent.type)
    return whole._getvalue()


def bytes_of(kind: types.Type) -> int:
    """Return how many bytes a cell of this type takes."""
    context = cpu_target.target_context
    return int(context.get_abi_sizeof(context.get_data_type(kind)))


def array_at(shape: tuple[int, ...], kind: Any) -> Any:
    """Return ``make(address)``, an intrinsic that makes an array of memory that is there.

    Parameters
    ----------
    shape : tuple of int
    kind : Numba type or NumPy dtype
        Of the elements.
    """
    element = _numba_type(kind)

    @intrinsic
    def make(typing_context, address):
        result = types.Array(element, len(shape), "C")

        def generate(context, builder, signature, args):
            extents = [const(extent) for extent in shape]
            return _array(context, builder, result, args[0], extents)

        return result(types.int64), generate

    return make


def vector_at(kind: Any) -> Any:
    """Return ``make(address, nbytes)`` for an array that fills `nbytes` (dynamic shared memory)."""
    element = _numba_type(kind)

    @intrinsic
    def make(typing_context, address, nbytes):
        result = types.Array(element, 1, "C")

        def generate(context, builder, signature, args):
            size = context.get_abi_sizeof(context.get_data_type(element))
            count = builder.sdiv(args[1], const(size))
            return _array(context, builder, result, args[0], [count])

        return result(types.int64, types.int64), generate

    return make


def _array(context, builder, kind: types.Array, address, extents: list):
    data_type = context.get_data_type(kind.dtype)
    size = const(context.get_abi_sizeof(data_type))
    strides, step = [], size
    for extent in reversed(extents):
        strides.insert(0, step)
        step = builder.mul(step, extent)
    array = arrayobj.make_array(kind)(context, builder)
    arrayobj.populate_array(
        array,
        data=builder.inttoptr(address, data_type.as_pointer()),
        shape=extents,
        strides=strides,
        itemsize=size,
        meminfo=None,
    )
    return array._getvalue()


def _numba_type(kind: Any) -> types.Type:
    if isinstance(kind, types.Type):
        return kind
    from numba.np.numpy_support import from_dtype

    return from_dtype(np.dtype(kind))


@intrinsic
def fill_bytes(typing_context, address, nbytes, value):
    """Fill memory with one byte."""

    def generate(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        cgutils.memset(builder, pointer, args[1], builder.trunc(args[2], ir.IntType(8)))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, types.int64), generate


@intrinsic
def claimed(typing_context, address):
    """Return the number at an address and add one to it, as one step for all cores."""

    def generate(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, const(1), "seq_cst")

    return types.int64(types.int64), generate


_TURN = ir.FunctionType(ir.IntType(64), [ir.IntType(64)] * 4)


@intrinsic
def call_turn(typing_context, address, home, moved, went_on, control):
    """Call `scheduler.next_turn`, whose machine code is at `address`."""

    def generate(context, builder, signature, args):
        turn = builder.inttoptr(args[0], _TURN.as_pointer())
        return builder.call(turn, args[1:])

    return types.int64(*(types.int64,) * 5), generate


take_int, put_int = cell(types.int64)
take_real, put_real = cell(types.float64)
