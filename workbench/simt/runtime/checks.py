"""Checked indices: an access that fails goes ahead nowhere and leaves a record."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import NumbaTypeError

from workbench.simt.runtime.control import (
    INT64,
    Control,
    Fault,
    const,
    record_fault,
)


def indices_of(context, builder, index_type, index) -> list:
    """Return the indices of an access as int64 values."""
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


def pointer_to(context, builder, array_type, array, indices):
    """Return the address of an element."""
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
    indices = indices_of(context, builder, index_type, index)
    shape = cgutils.unpack_tuple(builder, array.shape, array_type.ndim)
    entry_good = _all_inside(builder, indices, shape)
    entry = builder.block
    cold = builder.append_basic_block("index.cold")
    join = builder.append_basic_block("index.join")
    branch = builder.cbranch(entry_good, join, cold)
    branch.set_weights([99, 1])
    builder.position_at_end(cold)
    zero = const(0)
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
            axis = builder.select(outside, const(k), axis)
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
        record_fault(context, builder, (control_type, control), Fault.OUT_OF_BOUNDS, values)
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


def refuse_read_only(array) -> None:
    """Raise where a kernel would change an array that must not change."""
    if isinstance(array, types.Array) and not array.mutable:
        raise NumbaTypeError(f"Cannot modify readonly array of type: {array}")


def refuse_atomics(array) -> None:
    """Raise where an array cannot be changed atomically: numba-cuda has no atomics of halves."""
    refuse_read_only(array)
    if isinstance(array, types.Array) and array.dtype == types.float16:
        raise NumbaTypeError(f"No atomic operation takes {array}: use float32 or an integer")


def is_element(array, index) -> bool:
    """Return whether an index names one element of an array."""
    if not isinstance(array, types.Array):
        return False
    parts = list(index) if isinstance(index, types.BaseTuple) else [index]
    return len(parts) == array.ndim and all(isinstance(p, types.Integer) for p in parts)


def is_row(array, index) -> bool:
    """Whether the index picks a part of an array by whole numbers alone."""
    parts = list(index) if isinstance(index, types.BaseTuple) else [index]
    whole = all(isinstance(part, types.Integer) for part in parts)
    return isinstance(array, types.Array) and whole and len(parts) < array.ndim
