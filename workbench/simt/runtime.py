"""What compiled kernels call: checked access, atomics, memory on the stack, faults, polling.

Everything here is a Numba intrinsic, so that it costs what its machine code costs. Arrays declared
by a kernel live on the stack of the thread that runs the block: the compiler then knows that they
alias nothing. A failed check never reads or writes: it leaves a record in the control block, which
the launch turns into an error that names the thread and the line.

The control block is an int64 array, one for each worker; its slots are `Control`.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false

from __future__ import annotations

import operator
from enum import IntEnum
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

INT64 = ir.IntType(64)


class Control(IntEnum):
    """Slots of the control block."""

    STOP = 0
    FAULT = 1
    SITE = 2
    THREAD = 3
    BLOCK = 4
    INDEX = 5
    AXIS = 6
    CALLBACK = 7
    EXTENT = 8
    OTHER = 9
    STACK = 10
    CALLS = 11
    ALONE = 12
    SIZE = 16


class Fault(IntEnum):
    """Values of `Control.FAULT`."""

    NONE = 0
    OUT_OF_BOUNDS = 1
    BARRIER_DIVERGENCE = 2
    DEADLOCK = 3
    RECURSION = 4


class Stopped(Exception):
    """Raised inside compiled code to leave it: a stop, or a fault that forbids going on."""


def _const(value: int) -> ir.Constant:
    return ir.Constant(INT64, int(value))


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
                shape=[_const(extent) for extent in shape],
                strides=[_const(stride) for stride in strides],
                itemsize=_const(size),
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
        size = _const(context.get_abi_sizeof(data_type))
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


# -- checked access


def _indices(context, builder, index_type, index) -> list:
    if isinstance(index_type, types.BaseTuple):
        parts = cgutils.unpack_tuple(builder, index)
        kinds = list(index_type)
    else:
        parts, kinds = [index], [index_type]
    return [
        context.cast(builder, part, kind, types.int64)
        for part, kind in zip(parts, kinds, strict=True)
    ]


def _index_count(index_type: types.Type) -> int:
    return len(index_type) if isinstance(index_type, types.BaseTuple) else 1


def _pointer(context, builder, array_type, array, indices):
    return cgutils.get_item_pointer2(
        context,
        builder,
        data=array.data,
        shape=cgutils.unpack_tuple(builder, array.shape),
        strides=cgutils.unpack_tuple(builder, array.strides),
        layout=array_type.layout,
        inds=indices,
        wraparound=False,
        boundscheck=False,
    )


def _slot(context, builder, control_type, control, slot: Control):
    array = arrayobj.make_array(control_type)(context, builder, control)
    return builder.gep(array.data, [_const(slot)])


def _record_fault(context, builder, where, kind: Fault, values: dict[Control, Any]) -> None:
    """Keep the first fault of this worker."""
    control_type, control = where
    fault = _slot(context, builder, control_type, control, Control.FAULT)
    first = builder.icmp_unsigned("==", builder.load(fault), _const(0))
    with builder.if_then(first, likely=False):
        builder.store(_const(kind), fault)
        for slot, value in values.items():
            builder.store(value, _slot(context, builder, control_type, control, slot))


def _all_inside(builder, indices, shape):
    good = None
    for index, extent in zip(indices, shape, strict=False):
        inside = builder.icmp_unsigned("<", index, extent)
        good = inside if good is None else builder.and_(good, inside)
    return good


def checked(context, builder, array_type, array, index_type, index, site):
    """Return (whether the access may go ahead, the indices): negative ones wrap, as on a GPU.

    `site` holds (site number, thread, block, control type, control), for the record of a fault.
    """
    indices = _indices(context, builder, index_type, index)
    shape = cgutils.unpack_tuple(builder, array.shape, array_type.ndim)
    entry_good = _all_inside(builder, indices, shape)
    entry = builder.block
    cold = builder.append_basic_block("index.cold")
    join = builder.append_basic_block("index.join")
    branch = builder.cbranch(entry_good, join, cold)
    branch.set_weights([99, 1])
    builder.position_at_end(cold)
    zero = _const(0)
    wrapped = [
        builder.select(builder.icmp_signed("<", i, zero), builder.add(i, n), i)
        for i, n in zip(indices, shape, strict=False)
    ]
    cold_good = _all_inside(builder, wrapped, shape)
    with builder.if_then(builder.not_(cold_good), likely=False):
        number, thread, block, control_type, control = site
        axis, bad, extent = zero, indices[0], shape[0]
        for k in range(1, len(indices)):
            outside = builder.icmp_unsigned(">=", wrapped[k], shape[k])
            axis = builder.select(outside, _const(k), axis)
            bad = builder.select(outside, indices[k], bad)
            extent = builder.select(outside, shape[k], extent)
        values = {
            Control.SITE: number,
            Control.THREAD: thread,
            Control.BLOCK: block,
            Control.INDEX: bad,
            Control.AXIS: axis,
            Control.EXTENT: extent,
        }
        _record_fault(context, builder, (control_type, control), Fault.OUT_OF_BOUNDS, values)
    cold_end = builder.block
    builder.branch(join)
    builder.position_at_end(join)
    good = builder.phi(ir.IntType(1))
    good.add_incoming(ir.Constant(ir.IntType(1), 1), entry)
    good.add_incoming(cold_good, cold_end)
    final = []
    for i, w in zip(indices, wrapped, strict=True):
        phi = builder.phi(INT64)
        phi.add_incoming(i, entry)
        phi.add_incoming(w, cold_end)
        final.append(phi)
    return good, final


def site_of(context, builder, signature, args):
    """Return the last four arguments (site, thread, block, control) as `checked` wants them."""
    kinds = signature.args[-4:-1]
    numbers = [
        context.cast(builder, arg, kind, types.int64)
        for arg, kind in zip(args[-4:-1], kinds, strict=True)
    ]
    return (*numbers, signature.args[-1], args[-1])


def _is_element(array, index) -> bool:
    if not isinstance(array, types.Array):
        return False
    parts = list(index) if isinstance(index, types.BaseTuple) else [index]
    return len(parts) == array.ndim and all(isinstance(p, types.Integer) for p in parts)


def _rows(array, index) -> bool:
    """Whether the index picks a part of an array by whole numbers alone."""
    parts = list(index) if isinstance(index, types.BaseTuple) else [index]
    whole = all(isinstance(part, types.Integer) for part in parts)
    return isinstance(array, types.Array) and whole and len(parts) < array.ndim


def _other_item(typing_context, array, index, rest):
    """Type and generate what is no element of an array: rows, slices, parts of tuples."""
    if isinstance(array, types.BaseTuple) and isinstance(index, types.IntegerLiteral):
        at = index.literal_value

        def pick(context, builder, signature, args):
            value = builder.extract_value(args[0], at)
            return context.cast(builder, value, signature.args[0][at], signature.return_type)

        return types.unliteral(array[at])(array, index, *rest), pick
    if isinstance(array, types.Record) and isinstance(index, types.IntegerLiteral):
        return _field(array, index, rest)
    plain = types.unliteral(index)
    if _rows(array, index):
        count = len(index) if isinstance(index, types.BaseTuple) else 1
        plain = types.UniTuple(types.int64, count)
    found = typing_context.resolve_function_type(operator.getitem, (array, plain), {})
    if found is None:
        return None

    def generate(context, builder, signature, args):
        item = args[1]
        if _rows(array, index):
            whole = arrayobj.make_array(array)(context, builder, args[0])
            where = site_of(context, builder, signature, args)
            good, indices = checked(context, builder, array, whole, signature.args[1], item, where)
            safe = [builder.select(good, i, _const(0)) for i in indices]
            item = context.make_tuple(builder, plain, safe)
        else:
            item = context.cast(builder, item, signature.args[1], found.args[1])
        function = context.get_function(operator.getitem, found)
        return function(builder, (args[0], item))

    return found.return_type(array, index, *rest), generate


def _field(record, index, rest):
    """Type and generate ``record[2]``, its third field."""
    name = list(record.fields)[index.literal_value]

    def generate(context, builder, signature, args):
        get = context.get_getattr(record, name)
        return get(context, builder, record, args[0], name)

    return record.typeof(name)(record, index, *rest), generate


@intrinsic(prefer_literal=True)
def load_checked(typing_context, array, index, site, thread, block, control):
    """Return ``array[index]``, or zero where that is out of bounds, with a record of it."""
    if not _is_element(array, index):
        return _other_item(typing_context, array, index, (site, thread, block, control))

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        where = site_of(context, builder, signature, args)
        good, indices = checked(
            context, builder, array_type, whole, signature.args[1], args[1], where
        )
        if isinstance(array_type.dtype, types.Record):
            return _load_record(context, builder, array_type, whole, good, indices)
        before = builder.block
        with builder.if_then(good, likely=True):
            pointer = _pointer(context, builder, array_type, whole, indices)
            value = arrayobj.load_item(context, builder, array_type, pointer)
            inside = builder.block
        result = builder.phi(value.type)
        result.add_incoming(value, inside)
        result.add_incoming(ir.Constant(value.type, None), before)
        return result

    return array.dtype(array, index, site, thread, block, control), generate


def _load_record(context, builder, array_type, whole, good, indices):
    spare = cgutils.alloca_once(builder, context.get_data_type(array_type.dtype))
    safe = [builder.select(good, index, _const(0)) for index in indices]
    pointer = _pointer(context, builder, array_type, whole, safe)
    return builder.select(good, pointer, builder.bitcast(spare, pointer.type))


def _other_store(typing_context, array, index, value, rest):
    """Type and generate a store that is to no element: a row, a slice, a record."""
    found = typing_context.resolve_function_type(operator.setitem, (array, index, value), {})
    if found is None:
        return None

    def generate(context, builder, signature, args):
        good = cgutils.true_bit
        values = [
            context.cast(builder, arg, kind, want)
            for arg, kind, want in zip(args[1:3], signature.args[1:3], found.args[1:], strict=True)
        ]
        if _is_element(array, index) or _rows(array, index):
            whole = arrayobj.make_array(array)(context, builder, args[0])
            where = site_of(context, builder, signature, args)
            good, _ = checked(context, builder, array, whole, signature.args[1], args[1], where)
        with builder.if_then(good, likely=True):
            context.get_function(operator.setitem, found)(builder, (args[0], *values))
        return context.get_dummy_value()

    return types.none(array, index, value, *rest), generate


@intrinsic
def store_checked(typing_context, array, index, value, site, thread, block, control):
    """``array[index] = value``, or nothing where that is out of bounds, with a record of it."""
    rest = (site, thread, block, control)
    if not _is_element(array, index) or isinstance(array.dtype, types.Record):
        return _other_store(typing_context, array, index, value, rest)
    if not typing_context.can_convert(value, array.dtype):
        return _other_store(typing_context, array, index, value, rest)

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        where = site_of(context, builder, signature, args)
        new = context.cast(builder, args[2], signature.args[2], array_type.dtype)
        good, indices = checked(
            context, builder, array_type, whole, signature.args[1], args[1], where
        )
        with builder.if_then(good, likely=True):
            pointer = _pointer(context, builder, array_type, whole, indices)
            arrayobj.store_item(context, builder, array_type, new, pointer)
        return context.get_dummy_value()

    return types.none(array, index, value, site, thread, block, control), generate


@intrinsic
def load_proven(typing_context, array, index):
    """Return ``array[index]`` where the index is known to be inside."""
    if not _is_element(array, index):
        return None

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        indices = _indices(context, builder, signature.args[1], args[1])
        pointer = _pointer(context, builder, array_type, whole, indices)
        return arrayobj.load_item(context, builder, array_type, pointer)

    return array.dtype(array, index), generate


@intrinsic
def store_proven(typing_context, array, index, value):
    """``array[index] = value`` where the index is known to be inside."""
    if not _is_element(array, index) or isinstance(array.dtype, types.Record):
        return None
    if not typing_context.can_convert(value, array.dtype):
        return None

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        new = context.cast(builder, args[2], signature.args[2], array_type.dtype)
        indices = _indices(context, builder, signature.args[1], args[1])
        pointer = _pointer(context, builder, array_type, whole, indices)
        arrayobj.store_item(context, builder, array_type, new, pointer)
        return context.get_dummy_value()

    return types.none(array, index, value), generate


@intrinsic
def row_checked(typing_context, index, extent, site, thread, block, control):
    """Return an index into one axis that is inside: itself, wrapped, or 0 with a record."""
    if not isinstance(index, types.Integer):
        return None

    def generate(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], types.int64)
        size = context.cast(builder, args[1], signature.args[1], types.int64)
        zero = _const(0)
        wrapped = builder.select(
            builder.icmp_signed("<", value, zero), builder.add(value, size), value
        )
        good = builder.icmp_unsigned("<", wrapped, size)
        with builder.if_then(builder.not_(good), likely=False):
            number, thread_, block_, control_type, control_ = site_of(
                context, builder, signature, args
            )
            values = {
                Control.SITE: number,
                Control.THREAD: thread_,
                Control.BLOCK: block_,
                Control.INDEX: value,
                Control.AXIS: zero,
                Control.EXTENT: size,
            }
            _record_fault(context, builder, (control_type, control_), Fault.OUT_OF_BOUNDS, values)
        return builder.select(good, wrapped, zero)

    return types.int64(index, extent, site, thread, block, control), generate


# -- stopping

CALLBACK_TYPE = ir.FunctionType(INT64, [])


@intrinsic
def refill(typing_context, control):
    """Ask the launch whether to go on: return the next number of back edges, or -1 to stop."""

    def generate(context, builder, signature, args):
        address = builder.load(
            _slot(context, builder, signature.args[0], args[0], Control.CALLBACK)
        )
        callback = builder.inttoptr(address, CALLBACK_TYPE.as_pointer())
        return builder.call(callback, [])

    return types.int64(control), generate


@intrinsic
def stack_address(typing_context):
    """Return where the stack is now, as a number: it falls as calls nest."""

    def generate(context, builder, signature, args):
        spot = cgutils.alloca_once(builder, INT64)
        return builder.ptrtoint(spot, INT64)

    return types.int64(), generate


@intrinsic
def fault(typing_context, kind, site, thread, other, block, control):
    """Record a fault that is not about an index."""

    def generate(context, builder, signature, args):
        slots = (Control.SITE, Control.THREAD, Control.OTHER, Control.BLOCK)
        values = {
            slot: context.cast(builder, arg, arg_type, types.int64)
            for slot, arg, arg_type in zip(slots, args[1:5], signature.args[1:5], strict=True)
        }
        where = (signature.args[5], args[5])
        code = context.cast(builder, args[0], signature.args[0], types.int64)
        slot = _slot(context, builder, *where, Control.FAULT)
        with builder.if_then(builder.icmp_unsigned("==", builder.load(slot), _const(0))):
            builder.store(code, slot)
            for key, value in values.items():
                builder.store(value, _slot(context, builder, *where, key))
        return context.get_dummy_value()

    return types.none(kind, site, thread, other, block, control), generate
