"""The Vector unit: element by element, by rows, and whole reductions, on tensors in UB.

An instruction takes 256 bytes a repeat and rounds to its dtype once. It refuses shapes that differ:
nothing broadcasts silently, `broadcast` does it in the open; see `vector_checks`.
"""

from __future__ import annotations

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.operations import arithmetic
from workbench.aicore.operations.movement import require_ub
from workbench.aicore.operations.tensors import LocalTensor
from workbench.aicore.operations.vector_checks import (
    dtype_of,
    mask_of,
    no_fit,
    number_of,
    same,
    shapes,
)
from workbench.aicore.readings.costs import repeats
from workbench.aicore.recording.recorder import recorder
from workbench.errors import UnknownNameError


def add(dst: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write ``a + b``."""
    _binary("add", dst, a, b)


def sub(dst: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write ``a - b``."""
    _binary("sub", dst, a, b)


def mul(dst: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write ``a * b``."""
    _binary("mul", dst, a, b)


def div(dst: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write ``a / b``."""
    _binary("div", dst, a, b)


def max(dst: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write the larger of each pair."""
    _binary("max", dst, a, b)


def min(dst: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write the smaller of each pair."""
    _binary("min", dst, a, b)


def exp(dst: LocalTensor, src: LocalTensor) -> None:
    """Write e to the power of each element."""
    _unary("exp", dst, src)


def ln(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the natural logarithm."""
    _unary("ln", dst, src)


def sqrt(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the square root."""
    _unary("sqrt", dst, src)


def rsqrt(dst: LocalTensor, src: LocalTensor) -> None:
    """Write one over the square root."""
    _unary("rsqrt", dst, src)


def reciprocal(dst: LocalTensor, src: LocalTensor) -> None:
    """Write one over each element."""
    _unary("reciprocal", dst, src)


def abs(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the magnitude."""
    _unary("abs", dst, src)


def relu(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the element where positive, else zero."""
    _unary("relu", dst, src)


def adds(dst: LocalTensor, src: LocalTensor, scalar: float) -> None:
    """Write ``src + scalar``."""
    _scalar("adds", dst, src, scalar)


def muls(dst: LocalTensor, src: LocalTensor, scalar: float) -> None:
    """Write ``src * scalar``."""
    _scalar("muls", dst, src, scalar)


def maxs(dst: LocalTensor, src: LocalTensor, scalar: float) -> None:
    """Write the larger of each element and `scalar`."""
    _scalar("maxs", dst, src, scalar)


def mins(dst: LocalTensor, src: LocalTensor, scalar: float) -> None:
    """Write the smaller of each element and `scalar`."""
    _scalar("mins", dst, src, scalar)


def axpy(dst: LocalTensor, src: LocalTensor, scalar: float) -> None:
    """Write ``dst + src * scalar``, rounded once."""
    same("axpy", dst, src)
    number_of("axpy", scalar)
    _emit("axpy", dst, (src, dst), arithmetic.do_axpy, (dst, src, scalar), dst)


def duplicate(dst: LocalTensor, scalar: float) -> None:
    """Fill with `scalar`."""
    same("duplicate", dst)
    number_of("duplicate", scalar)
    _emit("duplicate", dst, (), arithmetic.do_fill, (dst, scalar), dst)


def cast(dst: LocalTensor, src: LocalTensor, mode: str = "RINT") -> None:
    """Convert to the dtype of `dst`, rounding as `mode` says where it becomes whole numbers."""
    if mode not in arithmetic.ROUND:
        raise UnknownNameError("rounding mode", mode, arithmetic.ROUND)
    require_ub("cast", dst, src)
    shapes("cast", dst, src)
    if dst.dtype == src.dtype:
        raise AICoreError(
            "dtype",
            "cast converts, and these have one data type already.",
            f"{src!r} to {dst!r}",
            "adds(dst, src, 0) copies; Cast of Ascend C would round floats to whole numbers here",
        )
    _emit(
        "cast",
        dst,
        (src,),
        arithmetic.do_cast,
        (dst, src, mode),
        src if src.nbytes > dst.nbytes else dst,
    )


def compare(dst: LocalTensor, a: LocalTensor, b: LocalTensor, how: str) -> None:
    """Write a bit for each pair into uint8 `dst`: whether ``a how b`` (``"LT"``, ``"GE"``, ...)."""
    if how not in arithmetic.COMPARE:
        raise UnknownNameError("comparison", how, arithmetic.COMPARE)
    same("compare", a, b)
    require_ub("compare", dst)
    mask_of("compare", dst, a)
    _emit("compare", dst, (a, b), arithmetic.do_compare, (dst, a, b, how), a)


def select(dst: LocalTensor, mask: LocalTensor, a: LocalTensor, b: LocalTensor) -> None:
    """Write `a` where the bit of `mask` is set, else `b`."""
    same("select", dst, a, b)
    require_ub("select", mask)
    mask_of("select", mask, a)
    _emit("select", dst, (mask, a, b), arithmetic.do_select, (dst, mask, a, b), dst)


def reduce_sum(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the sum of all elements to the first element of `dst`."""
    _reduce("reduce_sum", dst, src, np.add, (1,))


def reduce_max(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the largest element to the first element of `dst`."""
    _reduce("reduce_max", dst, src, np.maximum, (1,))


def row_sum(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the sum of each row of a matrix to a vector."""
    _reduce("row_sum", dst, src, np.add, src.shape[:1])


def row_max(dst: LocalTensor, src: LocalTensor) -> None:
    """Write the largest element of each row of a matrix to a vector."""
    _reduce("row_max", dst, src, np.maximum, src.shape[:1])


def broadcast(dst: LocalTensor, src: LocalTensor) -> None:
    """Repeat a vector over a matrix: one value a row, or, for shape (1, columns), one row a row."""
    require_ub("broadcast", dst, src)
    dtype_of("broadcast", dst, src)
    if dst.ndim != 2 or src.shape not in (dst.shape[:1], (1, dst.shape[1])):
        raise no_fit("broadcast", dst, src)
    _emit("broadcast", dst, (src,), arithmetic.do_broadcast, (dst, src), dst)


def gather(dst: LocalTensor, src: LocalTensor, offsets: LocalTensor) -> None:
    """Write ``src`` at the byte offsets (uint32) that `offsets` gives, one for each element.

    Raises
    ------
    AICoreError
        Of kind ``out_of_range`` or ``misaligned``, when the values are computed (by a launch or a
        check), for an offset where no element of `src` begins.
    """
    require_ub("gather", dst, src, offsets)
    dtype_of("gather", dst, src)
    if offsets.dtype.name != "uint32" or offsets.shape != dst.shape:
        raise no_fit("gather", dst, offsets)
    _emit("gather", dst, (src, offsets), arithmetic.do_gather, (dst, src, offsets), dst)


def transpose(dst: LocalTensor, src: LocalTensor) -> None:
    """Write a matrix with rows and columns exchanged."""
    require_ub("transpose", dst, src)
    dtype_of("transpose", dst, src)
    if src.ndim != 2 or dst.shape != src.shape[::-1]:
        raise no_fit("transpose", dst, src)
    _emit("transpose", dst, (src,), arithmetic.do_transpose, (dst, src), dst)


def set_value(dst: LocalTensor, index: int, scalar: float) -> None:
    """Write one element with the scalar unit (pipe S: order it with S_V and V_S events)."""
    number_of("set_value", scalar)
    one, part = recorder(), dst[index : index + 1]
    cycles = one.costs.vector_cycles("set_value", 1)
    one.emit("AIV.S", "set_value", (part,), (), arithmetic.do_fill, (part, scalar), cycles)


def _binary(name, dst, a, b) -> None:
    same(name, dst, a, b)
    _emit(name, dst, (a, b), arithmetic.do_binary, (arithmetic.BINARY[name], dst, a, b), dst)


def _unary(name, dst, src) -> None:
    same(name, dst, src)
    _emit(name, dst, (src,), arithmetic.do_unary, (arithmetic.UNARY[name], dst, src), dst)


def _scalar(name, dst, src, scalar) -> None:
    same(name, dst, src)
    number_of(name, scalar)
    _emit(name, dst, (src,), arithmetic.do_scalar, (arithmetic.SCALAR[name], dst, src, scalar), dst)


def _reduce(name, dst, src, ufunc, shape) -> None:
    require_ub(name, dst, src)
    dtype_of(name, dst, src)
    if dst.shape != shape or (name.startswith("row") and src.ndim != 2):
        raise no_fit(name, dst, src)
    axis = None if name.startswith("reduce") else 1
    _emit(name, dst, (src,), arithmetic.do_reduce, (ufunc, dst, src, axis), src)


def _emit(name, dst, reads, apply, args, measured) -> None:
    one = recorder()
    one.units.add("AIV")
    one.emit(
        "AIV.V", name, (dst,), reads, apply, args, one.costs.vector_cycles(name, repeats(measured))
    )
