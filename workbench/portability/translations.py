"""Operators that PyTorch's exporter has no ONNX for, written with standard ONNX operators.

Each entry of `translation_table` is a mathematical identity over the ``ai.onnx`` domain, so that
any provider that knows those operators can run the result. They hold for dynamic shapes, and
batched where PyTorch's operator is. Loops are ONNX ``Loop`` nodes; the model functions that hold
them are inlined by `workbench.portability.exporting`.

It refuses approximations that are not the operator's definition; where an algorithm differs from
PyTorch's (Gauss-Jordan instead of LAPACK), the docstring names it.
"""

# onnxscript types its operators by ONNX type variables, which no checker can follow through them.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


@cache
def translation_table() -> dict[Any, Callable]:
    """Return PyTorch operator to translation, for operators that have none in torch 2.13."""
    import torch

    aten = torch.ops.aten
    return {
        aten.linalg_inv_ex.default: inverse,
        aten.linalg_cholesky_ex.default: cholesky,
        aten._linalg_solve_ex.default: solve,
        aten._cdist_forward.default: distances,
        aten.searchsorted.Tensor: searchsorted,
        aten.bucketize.Tensor: bucketize,
        aten.cumprod.default: cumulative_product,
        aten.histc.default: histogram,
        aten.kthvalue.default: kth_smallest,
        aten.sort.stable: stable_sort,
    }


def inverse(a, check_errors: bool = False):
    """``a^-1`` by Gauss-Jordan elimination with partial pivoting, and an info of 0.

    Algorithm 2.2.1 of G. Golub and C. Van Loan, "Matrix Computations", 4th ed., with row swaps as
    the reflection ``I - v v^T``, ``v = e_k - e_p``, so that one formula serves every batch.
    """
    from onnxscript import opset18 as op

    from workbench.portability.loops import gauss_jordan

    rows = op.Shape(a, start=-2, end=-1)
    identity = op.Add(op.EyeLike(op.Expand(0.0, op.Concat(rows, rows, axis=0))), op.Mul(a, 0.0))
    return gauss_jordan(a, op.CastLike(identity, a)), op.Constant(value_int=0)


def solve(a, b, left: bool = True, check_errors: bool = False):
    """``a^-1 b`` by the same elimination as `inverse`; the other three results are not produced."""
    from onnxscript import opset18 as op

    from workbench.portability.loops import gauss_jordan

    if not left:
        raise NotImplementedError("linalg.solve(..., left=False) has no translation")
    solution = gauss_jordan(a, b)
    return solution, a, op.Constant(value_int=0), op.Constant(value_int=0)


def cholesky(a, upper: bool = False, check_errors: bool = False):
    """Lower factor by outer products (Golub and Van Loan, algorithm 4.2.4), and an info of 0."""
    from onnxscript import opset18 as op

    from workbench.portability.loops import cholesky_factor

    lower = cholesky_factor(a)
    if upper:
        raise NotImplementedError("linalg.cholesky(upper=True): take the lower factor's transpose")
    return lower, op.Constant(value_int=0)


def distances(x1, x2, p: float = 2.0, compute_mode: int | None = None):
    """``(sum_k |x1[i, k] - x2[j, k]|^p)^(1/p)``; p = infinity is the largest difference."""
    from onnxscript import opset18 as op

    difference = op.Sub(op.Unsqueeze(x1, [-2]), op.Unsqueeze(x2, [-3]))
    if p == 2.0:
        return op.Sqrt(op.ReduceSumSquare(difference, [-1], keepdims=0))
    if p == 1.0:
        return op.ReduceL1(difference, [-1], keepdims=0)
    if p == float("inf"):
        return op.ReduceMax(op.Abs(difference), [-1], keepdims=0)
    if p == 0.0:
        changed = op.Cast(op.Not(op.Equal(difference, op.CastLike(0.0, x1))), to=1)
        return op.CastLike(op.ReduceSum(changed, [-1], keepdims=0), x1)
    power = op.Pow(op.Abs(difference), op.CastLike(p, x1))
    return op.Pow(op.ReduceSum(power, [-1], keepdims=0), op.CastLike(1.0 / p, x1))


def searchsorted(sorted_sequence, values, out_int32=False, right=False, side=None, sorter=None):
    """Count, for each value, the elements below it (or, from the right, not above it)."""
    from onnxscript import opset18 as op

    if sorter is not None:
        raise NotImplementedError("searchsorted(sorter=...): gather the sequence by it first")
    right = right or side == "right"
    if len(sorted_sequence.shape) > 1:
        sorted_sequence = op.Unsqueeze(sorted_sequence, [-2])
    compare = op.LessOrEqual if right else op.Less
    below = compare(op.CastLike(sorted_sequence, values), op.Unsqueeze(values, [-1]))
    return op.ReduceSum(op.Cast(below, to=6 if out_int32 else 7), [-1], keepdims=0)


def bucketize(values, boundaries, out_int32=False, right=False):
    """Return `searchsorted` with the arguments the other way round."""
    return searchsorted(boundaries, values, out_int32, right)


def cumulative_product(x, dim: int, dtype: int = -1):
    """Return the running product in about log2(n) steps: x[i] *= x[i - d], d = 1, 2, 4, ...

    W. Hillis and G. Steele, "Data parallel algorithms", CACM 29 (1986).
    """
    from onnxscript import opset18 as op

    from workbench.portability.loops import running_product

    rank = len(x.shape)
    if rank == 0:
        return op.Identity(x)
    order = list(range(rank))
    order[dim % rank], order[-1] = order[-1], order[dim % rank]
    if x.dtype is not None and not x.dtype.is_floating_point():
        x = op.Cast(x, to=7)
    flat = op.Transpose(x, perm=order)
    table = op.Reshape(
        flat, op.Concat(op.Constant(value_ints=[-1]), op.Shape(flat, start=-1), axis=0)
    )
    return op.Transpose(op.Reshape(running_product(table), op.Shape(flat)), perm=order)


def histogram(x, bins: int = 100, min: float = 0.0, max: float = 0.0):
    """Count into `bins` equal bins; the last one includes the upper edge; others are ignored."""
    from onnxscript import opset18 as op

    x = op.Reshape(x, [-1])
    low, high = op.CastLike(float(min), x), op.CastLike(float(max), x)
    if min == max:
        low, high = op.ReduceMin(x, keepdims=0), op.ReduceMax(x, keepdims=0)
        flat = op.Equal(low, high)
        one = op.CastLike(1.0, x)
        low, high = op.Where(flat, op.Sub(low, one), low), op.Where(flat, op.Add(high, one), high)
    place = op.Div(op.Mul(op.Sub(x, low), op.CastLike(float(bins), x)), op.Sub(high, low))
    last = op.Constant(value_int=bins - 1)
    index = op.Min(op.Cast(op.Floor(place), to=7), last)
    inside = op.And(op.GreaterOrEqual(x, low), op.LessOrEqual(x, high))
    numbers = op.Constant(value_ints=list(range(bins)))
    hit = op.And(op.Equal(op.Unsqueeze(index, [-1]), numbers), op.Unsqueeze(inside, [-1]))
    return op.ReduceSum(op.CastLike(hit, x), [0], keepdims=0)


def kth_smallest(x, k: int, dim: int = -1, keepdim: bool = False):
    """Return the last of the k smallest along `dim`, and where it stands."""
    from onnxscript import opset18 as op

    values, indices = op.TopK(x, op.Constant(value_ints=[k]), axis=dim, largest=0, sorted=1)
    last = op.Constant(value_ints=[k - 1]) if keepdim else op.Constant(value_int=k - 1)
    return op.Gather(values, last, axis=dim), op.Gather(indices, last, axis=dim)


def stable_sort(x, stable: bool = True, dim: int = -1, descending: bool = False):
    """``TopK`` of everything: ONNX breaks ties by the lower index, which is what stable means."""
    from onnxscript import opset18 as op

    if len(x.shape) == 0:
        return op.Identity(x), op.Constant(value_int=0)
    size = op.Gather(op.Shape(x), [dim % len(x.shape)])
    small = x.dtype is not None and x.dtype.numpy() in (np.bool_, np.int8, np.uint8, np.int16)
    keys = op.Cast(x, to=7) if small else x
    values, indices = op.TopK(keys, size, axis=dim, largest=int(descending), sorted=1)
    return (op.CastLike(values, x) if small else values), indices
