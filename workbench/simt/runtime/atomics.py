"""Atomics of compiled kernels.

On global memory they are the processor's own where blocks run on several cores; a launch on one
core, and shared and local memory, which one thread loop owns, do with a plain update. Semantics:
CUDA C++ Programming Guide, "Atomic Functions"; floating-point ``max``/``min`` keep a NaN that is
there and ignore one that comes, ``nanmax``/``nanmin`` replace it, as Numba's do.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np import arrayobj

from workbench.simt.runtime.checks import checked, pointer_to, refuse_atomics, site_of
from workbench.simt.runtime.control import Control

_DIRECT = {"add": "add", "sub": "sub", "and_": "and", "or_": "or", "xor": "xor", "exch": "xchg"}


def _arithmetic(integer: str, floating: str):
    def update(builder, kind, old, value):
        operation = floating if isinstance(kind, types.Float) else integer
        return getattr(builder, operation)(old, value)

    return update


def _bitwise(operation: str):
    return lambda builder, kind, old, value: getattr(builder, operation)(old, value)


def _compare(builder, kind, sign: str, a, b):
    if isinstance(kind, types.Float):
        return builder.fcmp_ordered(sign, a, b)
    signed = isinstance(kind, types.Integer) and kind.signed
    return (builder.icmp_signed if signed else builder.icmp_unsigned)(sign, a, b)


def _extreme(sign: str, replaces_nan: bool):
    def update(builder, kind, old, value):
        better = _compare(builder, kind, sign, value, old)
        if replaces_nan and isinstance(kind, types.Float):
            better = builder.or_(better, builder.fcmp_unordered("uno", old, old))
        return builder.select(better, value, old)

    return update


def _increment(builder, kind, old, limit):
    wraps = _compare(builder, kind, ">=", old, limit)
    return builder.select(
        wraps, ir.Constant(old.type, 0), builder.add(old, ir.Constant(old.type, 1))
    )


def _decrement(builder, kind, old, limit):
    zero = builder.icmp_unsigned("==", old, ir.Constant(old.type, 0))
    above = _compare(builder, kind, ">", old, limit)
    down = builder.sub(old, ir.Constant(old.type, 1))
    return builder.select(builder.or_(zero, above), limit, down)


def _exchange(builder, kind, old, value):
    return value


_UPDATES: dict[str, Callable] = {
    "add": _arithmetic("add", "fadd"),
    "sub": _arithmetic("sub", "fsub"),
    "and_": _bitwise("and_"),
    "or_": _bitwise("or_"),
    "xor": _bitwise("xor"),
    "exch": _exchange,
    "max": _extreme(">", False),
    "min": _extreme("<", False),
    "nanmax": _extreme(">", True),
    "nanmin": _extreme("<", True),
    "inc": _increment,
    "dec": _decrement,
}
_BITWISE = ("and_", "or_", "xor", "inc", "dec")


def _as_bits(builder, pointer, value_type):
    bits = ir.IntType(
        value_type.width if isinstance(value_type, ir.IntType) else _width(value_type)
    )
    return builder.bitcast(pointer, bits.as_pointer()), bits


def _width(value_type) -> int:
    return 64 if isinstance(value_type, ir.DoubleType) else 32


def _loop(builder, pointer, kind, update):
    """Compare-and-swap until nobody came between."""
    value_type = pointer.type.pointee
    slot, bits = _as_bits(builder, pointer, value_type)
    start = builder.block
    first = builder.load(slot)
    body = builder.append_basic_block("atomic.try")
    done = builder.append_basic_block("atomic.done")
    builder.branch(body)
    builder.position_at_end(body)
    seen = builder.phi(bits)
    seen.add_incoming(first, start)
    old = seen if bits == value_type else builder.bitcast(seen, value_type)
    new = update(builder, kind, old)
    raw = new if bits == value_type else builder.bitcast(new, bits)
    swapped = builder.cmpxchg(slot, seen, raw, "seq_cst", "monotonic")
    now = builder.extract_value(swapped, 0)
    seen.add_incoming(now, builder.block)
    builder.cbranch(builder.extract_value(swapped, 1), done, body)
    builder.position_at_end(done)
    return now if bits == value_type else builder.bitcast(now, value_type)


def _plainly(builder, kind, pointer, update):
    """Load, change, store: enough where nobody else touches the element."""
    old = builder.load(pointer)
    builder.store(update(builder, kind, old), pointer)
    return old


def _update(builder, name, kind, pointer, value):
    """Change an element atomically."""
    if isinstance(kind, types.Integer) and name in _DIRECT:
        return builder.atomic_rmw(_DIRECT[name], pointer, value, "seq_cst")
    return _loop(builder, pointer, kind, lambda b, k, old: _UPDATES[name](b, k, old, value))


def _alone_or(context, builder, signature, args, pointer, update, atomically):
    """Change an element plainly where the launch is alone with memory, else atomically."""
    control = arrayobj.make_array(signature.args[-1])(context, builder, args[-1])
    slot = builder.gep(control.data, [ir.Constant(ir.IntType(64), int(Control.ALONE))])
    alone = builder.icmp_unsigned("!=", builder.load(slot), ir.Constant(ir.IntType(64), 0))
    kind = signature.args[0].dtype
    with builder.if_else(alone) as (then, otherwise):
        with then:
            first = _plainly(builder, kind, pointer, update)
            after_first = builder.block
        with otherwise:
            second = atomically(pointer)
            after_second = builder.block
    result = builder.phi(first.type)
    result.add_incoming(first, after_first)
    result.add_incoming(second, after_second)
    return result


def _typed(name: str, array, index) -> bool:
    refuse_atomics(array)
    parts = list(index) if isinstance(index, types.BaseTuple) else [index]
    numbers = all(isinstance(part, (types.Integer, types.Float)) for part in parts)
    if not isinstance(array, types.Array) or len(parts) != array.ndim or not numbers:
        return False
    if name in _BITWISE:
        return isinstance(array.dtype, types.Integer)
    return isinstance(array.dtype, (types.Integer, types.Float))


def _element(context, builder, signature, args, access):
    """Run `access(pointer)` where the index is inside; zero elsewhere."""
    array_type = signature.args[0]
    whole = arrayobj.make_array(array_type)(context, builder, args[0])
    where = site_of(context, builder, signature, args)
    good, indices = checked(context, builder, array_type, whole, signature.args[1], args[1], where)
    result = cgutils.alloca_once_value(
        builder, ir.Constant(context.get_value_type(array_type.dtype), None)
    )
    with builder.if_then(good, likely=True):
        pointer = pointer_to(context, builder, array_type, whole, indices)
        builder.store(access(pointer), result)
    return builder.load(result)


def _make(name: str, private: bool):
    @intrinsic
    def operation(typing_context, array, index, value, site, thread, block, control):
        if not _typed(name, array, index) or not typing_context.can_convert(value, array.dtype):
            return None

        def generate(context, builder, signature, args):
            kind = signature.args[0].dtype
            operand = context.cast(builder, args[2], signature.args[2], kind)

            def update(builder, kind, old):
                return _UPDATES[name](builder, kind, old, operand)

            def access(pointer):
                if private or isinstance(kind, types.Complex):
                    return _plainly(builder, kind, pointer, update)
                return _alone_or(
                    context, builder, signature, args, pointer, update,
                    lambda pointer: _update(builder, name, kind, pointer, operand),
                )  # fmt: skip

            return _element(context, builder, signature, args, access)

        return array.dtype(array, index, value, site, thread, block, control), generate

    return operation


def _make_cas(private: bool):
    @intrinsic
    def operation(typing_context, array, index, old, value, site, thread, block, control):
        if not _typed("cas", array, index):
            return None

        def generate(context, builder, signature, args):
            kind = signature.args[0].dtype
            expected = context.cast(builder, args[2], signature.args[2], kind)
            new = context.cast(builder, args[3], signature.args[3], kind)

            def update(builder, kind, seen):
                same = _compare(builder, kind, "==", seen, expected)
                return builder.select(same, new, seen)

            def access(pointer):
                if private:
                    return _plainly(builder, kind, pointer, update)
                return _alone_or(
                    context, builder, signature, args, pointer, update,
                    lambda pointer: _loop(builder, pointer, kind, update),
                )  # fmt: skip

            return _element(context, builder, signature, args, access)

        return array.dtype(array, index, old, value, site, thread, block, control), generate

    return operation


OPERATIONS = {
    **{f"global_{name}": _make(name, private=False) for name in _UPDATES},
    **{f"private_{name}": _make(name, private=True) for name in _UPDATES},
    "global_cas": _make_cas(False),
    "private_cas": _make_cas(True),
}
globals().update(OPERATIONS)

__all__ = list(OPERATIONS)
