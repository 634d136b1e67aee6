"""The ONNX loops that `translations` needs, compiled from Python by onnxscript.

onnxscript reads the source of a function to make an ONNX function of it, so these are written in
its subset of Python: every line is an ONNX operator. They refuse nothing at run time: ONNX has
no exceptions, and a singular matrix gives infinities, as a division does.
"""

# onnxscript reads this file as ONNX, not as Python.
# pyright: reportArgumentType=false, reportReturnType=false, reportOperatorIssue=false

from typing import TypeVar

from onnxscript import DOUBLE, FLOAT, FLOAT16, INT64, script
from onnxscript import opset18 as op

T = TypeVar("T", FLOAT, DOUBLE, FLOAT16, INT64)


@script(default_opset=op)
def gauss_jordan(a: T, b: T) -> T:
    """``a^-1 b`` for ``a[..., n, n]`` and ``b[..., n, m]``, pivoting on the largest element."""
    size = op.Shape(a, start=-1)
    steps = op.Squeeze(size)
    places = op.Range(0, steps, 1)
    table = op.Concat(a, b, axis=-1)
    for k in range(steps):
        column = op.Gather(table, k, axis=-1)
        candidates = op.Where(op.Less(places, k), op.CastLike(-1.0, a), op.Abs(column))
        pivot = op.ArgMax(candidates, axis=-1, keepdims=1)
        here = op.CastLike(op.Equal(places, k), a)
        v = op.Unsqueeze(op.Sub(here, op.CastLike(op.Equal(places, pivot), a)), [-1])
        moved = op.ReduceSum(op.Mul(v, table), [-2], keepdims=1)
        swapped = op.Sub(table, op.Mul(v, moved))
        row = op.Gather(swapped, op.Reshape(k, [1]), axis=-2)
        factor = op.Gather(swapped, op.Reshape(k, [1]), axis=-1)
        pivot_value = op.Gather(row, op.Reshape(k, [1]), axis=-1)
        scaled = op.Div(row, pivot_value)
        table = op.Sub(swapped, op.Mul(op.Sub(factor, op.Unsqueeze(here, [-1])), scaled))
    return op.Slice(table, size, [9223372036854775807], [-1])


@script(default_opset=op)
def cholesky_factor(a: T) -> T:
    """Lower triangular L with ``L L^T = a`` for ``a[..., n, n]`` positive definite."""
    steps = op.Squeeze(op.Shape(a, start=-1))
    places = op.Range(0, steps, 1)
    rest = op.Identity(a)
    lower = op.Mul(a, op.CastLike(0.0, a))
    for k in range(steps):
        column = op.Gather(rest, op.Reshape(k, [1]), axis=-1)
        pivot = op.Gather(column, op.Reshape(k, [1]), axis=-2)
        below = op.CastLike(op.Not(op.Less(places, k)), a)
        scaled = op.Mul(op.Div(column, op.Sqrt(pivot)), op.Unsqueeze(below, [-1]))
        lower = op.Add(lower, op.Mul(scaled, op.CastLike(op.Equal(places, k), a)))
        row = op.ReduceSum(
            op.Mul(
                scaled,
                op.CastLike(
                    op.EyeLike(
                        op.Expand(
                            op.CastLike(1.0, a),
                            op.Concat(op.Shape(a, start=-1), op.Shape(a, start=-1), axis=0),
                        )
                    ),
                    a,
                ),
            ),
            [-2],
            keepdims=1,
        )
        rest = op.Sub(rest, op.Mul(scaled, row))
    return lower


@script(default_opset=op)
def running_product(x: T) -> T:
    """Return the running product along the last axis of ``x[rows, n]`` by doubling strides."""
    size = op.Shape(x, start=1)
    n = op.Squeeze(size)
    total = op.Identity(x)
    stride = op.Constant(value_int=1)
    go = op.Less(stride, n)
    while go:
        shift = op.Reshape(stride, [1])
        kept = op.Slice(total, [0], op.Sub(size, shift), [1])
        pads = op.Concat([0], shift, [0, 0], axis=0)
        total = op.Mul(total, op.Pad(kept, pads, op.CastLike(1.0, x)))
        stride = stride + stride
        go = op.Less(stride, n)
    return total
