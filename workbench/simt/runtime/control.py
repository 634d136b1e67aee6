"""The control block of compiled kernels: faults that are recorded, and asking whether to go on.

It is an int64 array, one for each worker; its slots are `Control`.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false

from __future__ import annotations

from enum import IntEnum
from typing import Any

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
    STOPPED = 5


class Stopped(Exception):
    """Raised inside compiled code to leave it: a stop, or a fault that forbids going on."""


def const(value: int) -> ir.Constant:
    """Return an int64 constant."""
    return ir.Constant(INT64, int(value))


def slot_of(context, builder, control_type, control, slot: Control):
    """Return the address of a slot of the control block."""
    array = arrayobj.make_array(control_type)(context, builder, control)
    return builder.gep(array.data, [const(slot)])


def record_fault(context, builder, where, kind: Fault, values: dict[Control, Any]) -> None:
    """Keep the first fault of this worker."""
    control_type, control = where
    fault = slot_of(context, builder, control_type, control, Control.FAULT)
    first = builder.icmp_unsigned("==", builder.load(fault), const(0))
    with builder.if_then(first, likely=False):
        builder.store(const(kind), fault)
        for slot, value in values.items():
            builder.store(value, slot_of(context, builder, control_type, control, slot))


CALLBACK_TYPE = ir.FunctionType(INT64, [])


@intrinsic
def refill(typing_context, control):
    """Ask the launch whether to go on: return the next number of back edges, or -1 to stop."""

    def generate(context, builder, signature, args):
        address = builder.load(
            slot_of(context, builder, signature.args[0], args[0], Control.CALLBACK)
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
        slot = slot_of(context, builder, *where, Control.FAULT)
        with builder.if_then(builder.icmp_unsigned("==", builder.load(slot), const(0))):
            builder.store(code, slot)
            for key, value in values.items():
                builder.store(value, slot_of(context, builder, *where, key))
        return context.get_dummy_value()

    return types.none(kind, site, thread, other, block, control), generate
