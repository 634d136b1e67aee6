"""Memory of compiled kernels: arrays on the stack, a thread's part of them, views of bytes."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.simt.runtime.control import (
    const,
)


def block_array(shape: tuple[int, ...], dtype: Any):
    """Return an intrinsic that makes an uninitialised array on the stack.

    Parameters
    ----------
    shape : tuple of int
    dtype : Numba type or NumPy dtype
    """
    element = _numba_type(dtype)
    count = max(1, int(np.prod(shape)))
    array_type = types.Array(element, len(shape), "C")

    @intrinsic
    def make(typing_context):
        def generate(context, builder, signature, args):
            data_type = context.get_data_type(element)
            size = context.get_abi_sizeof(data_type)
            with builder.goto_entry_block():
                memory = builder.alloca(ir.ArrayType(data_type, count), name="block_array")
                memory.align = 64
            array = arrayobj.make_array(array_type)(context, builder)
            strides, step = [], size
            for extent in reversed(shape):
                strides.insert(0, step)
                step *= extent
            arrayobj.populate_array(
                array,
                data=builder.bitcast(memory, data_type.as_pointer()),
                shape=[const(extent) for extent in shape],
                strides=[const(stride) for stride in strides],
                itemsize=const(size),
                meminfo=None,
            )
            return array._getvalue()

        return array_type(), generate

    return make


def _numba_type(dtype: Any) -> types.Type:
    if isinstance(dtype, types.Type):
        return dtype
    from numba.np.numpy_support import from_dtype

    return from_dtype(np.dtype(dtype))


@intrinsic
def thread_slice(typing_context, array, thread):
    """Return ``array[thread]``: one thread's part of an array with a leading thread axis."""
    result = array.copy(ndim=array.ndim - 1)

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        shape = cgutils.unpack_tuple(builder, whole.shape, array_type.ndim)
        strides = cgutils.unpack_tuple(builder, whole.strides, array_type.ndim)
        index = context.cast(builder, args[1], signature.args[1], types.int64)
        offset = builder.mul(index, strides[0])
        part = arrayobj.make_array(result)(context, builder)
        arrayobj.populate_array(
            part,
            data=cgutils.pointer_add(builder, whole.data, offset, whole.data.type),
            shape=shape[1:],
            strides=strides[1:],
            itemsize=whole.itemsize,
            meminfo=None,
        )
        return part._getvalue()

    return result(array, thread), generate


@intrinsic
def poison(typing_context, array):
    """Fill an array with `types.POISON_BYTE`: what a block finds in fresh shared memory."""

    def generate(context, builder, signature, args):
        whole = arrayobj.make_array(signature.args[0])(context, builder, args[0])
        size = builder.mul(whole.nitems, whole.itemsize)
        cgutils.memset(builder, whole.data, size, 0xFF)
        return context.get_dummy_value()

    return types.none(array), generate


@intrinsic
def view_as(typing_context, raw, like):
    """Return a byte array as an array of the element type of `like` (dynamic shared memory)."""
    result = types.Array(like.dtype, 1, "C")

    def generate(context, builder, signature, args):
        whole = arrayobj.make_array(signature.args[0])(context, builder, args[0])
        data_type = context.get_data_type(result.dtype)
        size = const(context.get_abi_sizeof(data_type))
        count = builder.sdiv(whole.nitems, size)
        part = arrayobj.make_array(result)(context, builder)
        arrayobj.populate_array(
            part,
            data=builder.bitcast(whole.data, data_type.as_pointer()),
            shape=[count],
            strides=[size],
            itemsize=size,
            meminfo=None,
        )
        return part._getvalue()

    return result(raw, like), generate
