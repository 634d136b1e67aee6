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

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.simt.runtime.checks import (
    checked,
    indices_of,
    is_element,
    is_row,
    pointer_to,
    refuse_read_only,
    site_of,
)
from workbench.simt.runtime.control import (
    Control,
    Fault,
    const,
    record_fault,
)

# -- checked access


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
    if is_row(array, index):
        count = len(index) if isinstance(index, types.BaseTuple) else 1
        plain = types.UniTuple(types.int64, count)
    found = typing_context.resolve_function_type(operator.getitem, (array, plain), {})
    if found is None:
        return None

    def generate(context, builder, signature, args):
        item = args[1]
        if is_row(array, index):
            whole = arrayobj.make_array(array)(context, builder, args[0])
            where = site_of(context, builder, signature, args)
            good, indices = checked(context, builder, array, whole, signature.args[1], item, where)
            safe = [builder.select(good, i, const(0)) for i in indices]
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
    if not is_element(array, index):
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
            pointer = pointer_to(context, builder, array_type, whole, indices)
            value = arrayobj.load_item(context, builder, array_type, pointer)
            inside = builder.block
        result = builder.phi(value.type)
        result.add_incoming(value, inside)
        result.add_incoming(ir.Constant(value.type, None), before)
        return result

    return array.dtype(array, index, site, thread, block, control), generate


def _load_record(context, builder, array_type, whole, good, indices):
    spare = cgutils.alloca_once(builder, context.get_data_type(array_type.dtype))
    safe = [builder.select(good, index, const(0)) for index in indices]
    pointer = pointer_to(context, builder, array_type, whole, safe)
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
        if is_element(array, index) or is_row(array, index):
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
    refuse_read_only(array)
    rest = (site, thread, block, control)
    if not is_element(array, index) or isinstance(array.dtype, types.Record):
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
            pointer = pointer_to(context, builder, array_type, whole, indices)
            arrayobj.store_item(context, builder, array_type, new, pointer)
        return context.get_dummy_value()

    return types.none(array, index, value, site, thread, block, control), generate


@intrinsic
def load_proven(typing_context, array, index):
    """Return ``array[index]`` where the index is known to be inside."""
    if not is_element(array, index):
        return None

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        indices = indices_of(context, builder, signature.args[1], args[1])
        pointer = pointer_to(context, builder, array_type, whole, indices)
        return arrayobj.load_item(context, builder, array_type, pointer)

    return array.dtype(array, index), generate


@intrinsic
def store_proven(typing_context, array, index, value):
    """``array[index] = value`` where the index is known to be inside."""
    refuse_read_only(array)
    if not is_element(array, index) or isinstance(array.dtype, types.Record):
        return None
    if not typing_context.can_convert(value, array.dtype):
        return None

    def generate(context, builder, signature, args):
        array_type = signature.args[0]
        whole = arrayobj.make_array(array_type)(context, builder, args[0])
        new = context.cast(builder, args[2], signature.args[2], array_type.dtype)
        indices = indices_of(context, builder, signature.args[1], args[1])
        pointer = pointer_to(context, builder, array_type, whole, indices)
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
        zero = const(0)
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
            record_fault(context, builder, (control_type, control_), Fault.OUT_OF_BOUNDS, values)
        return builder.select(good, wrapped, zero)

    return types.int64(index, extent, site, thread, block, control), generate


# -- stopping
