"""Kernels that combine elements along axes: sums, extremes, softmax, sorting.

As on the operators' pages (https://onnx.ai/onnx/operators/); axes are an attribute or an input.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from workbench.portability.provider.engine import Kernel
from workbench.portability.provider.kernels_elementwise import widened
from workbench.portability.provider.kernels_shape import axes_of


def reduction(function):
    """Make a kernel of ``function(x, axis, keepdims)``."""

    def reduce(node, x, axes=None):
        found = axes_of(node, axes)
        if not found:
            if node.get("noop_with_empty_axes", 0):
                return function(x, (), True)
            found = tuple(range(x.ndim))
        return function(x, found, bool(node.get("keepdims", 1)))

    return widened(reduce)


def typed(function):
    """Keep integers in their own type, where NumPy would widen the sum."""
    return lambda x, axis, keep: function(x, axis=axis, keepdims=keep, dtype=x.dtype)


def mean(x, axis, keep):
    """Return the mean; of integers truncated, as a division of integers is."""
    total = np.sum(x, axis=axis, keepdims=keep, dtype=x.dtype)
    count = int(np.prod([x.shape[a] for a in axis], dtype=np.int64))
    return total / count if x.dtype.kind == "f" else total // count


def log_sum_exp(x, axis, keep):
    """Return log(sum(exp(x))), shifted by the largest so that nothing overflows."""
    return special.logsumexp(x, axis=axis, keepdims=keep) if axis else x


def extreme(function, start):
    """Make a reduction of np.max or np.min that knows the empty set's value."""

    def found(x, axis, keep):
        if x.dtype.kind == "b":
            return (np.any if function is np.max else np.all)(x, axis=axis, keepdims=keep)
        if x.dtype.kind == "f":
            empty = start * np.inf
        else:
            info = np.iinfo(x.dtype)
            empty = info.min if start < 0 else info.max
        return function(x, axis=axis, keepdims=keep, initial=np.asarray(empty, x.dtype))

    return found


def norm_1(x, axis, keep):
    """Sum of magnitudes."""
    return np.sum(np.abs(x), axis=axis, keepdims=keep, dtype=x.dtype)


def square_sum(x, axis, keep):
    """Sum of squares."""
    return np.sum(x * x, axis=axis, keepdims=keep, dtype=x.dtype)


def softmax_like(function):
    """Make a kernel over one axis; before opset 13 over all from `axis` on."""

    def along(node, x):
        if node.version >= 13:
            return function(x, node.get("axis", -1))
        axis = node.get("axis", 1) % max(1, x.ndim)
        lead = int(np.prod(x.shape[:axis], dtype=np.int64))
        return function(x.reshape(lead, -1), -1).reshape(x.shape)

    return widened(along)


def hardmax(x, axis):
    """1 at the first of the largest."""
    where = np.expand_dims(np.argmax(x, axis), axis)
    result = np.zeros_like(x)
    np.put_along_axis(result, where, 1, axis)
    return result


def arg_extreme(function):
    """Make a kernel that finds the first, or the last, of the extremes."""

    def found(node, x):
        axis = node.get("axis", 0)
        if node.get("select_last_index", 0):
            index = x.shape[axis] - 1 - function(np.flip(x, axis), axis)
        else:
            index = function(x, axis)
        return np.expand_dims(index, axis) if node.get("keepdims", 1) else index

    return found


def top_k(node, x, k):
    """Return the largest or smallest k, ties by the lower index."""
    axis, count = node.get("axis", -1), int(np.reshape(k, -1)[0])
    if node.get("largest", 1):
        flipped = np.flip(x, axis)
        order = np.flip(np.argsort(flipped, axis, kind="stable"), axis)
        order = x.shape[axis] - 1 - order
    else:
        order = np.argsort(x, axis, kind="stable")
    order = np.take(order, np.arange(count), axis)
    return np.take_along_axis(x, order, axis), order.astype(np.int64)


def running(function):
    """Make a kernel of a running sum or product, exclusive and reversed on request."""

    def cumulative(node, x, axis):
        axis = int(np.reshape(axis, -1)[0])
        x = np.flip(x, axis) if node.get("reverse", 0) else x
        total = function(x, axis=axis, dtype=x.dtype)
        if node.get("exclusive", 0):
            first = 0 if function is np.cumsum else 1
            head = np.full_like(np.take(x, [0], axis), first)
            total = np.concatenate([head, np.delete(total, -1, axis)], axis)
        return np.flip(total, axis) if node.get("reverse", 0) else total

    return cumulative


def lp_normalized(node, x):
    """Divide by the norm along one axis."""
    axis, p = node.get("axis", -1), node.get("p", 2)
    norm = np.sum(np.abs(x) ** p, axis=axis, keepdims=True) ** (1 / p)
    return np.divide(x, norm, out=np.zeros_like(x), where=norm != 0)


REDUCTIONS = {
    "ReduceSum": typed(np.sum),
    "ReduceProd": typed(np.prod),
    "ReduceMean": mean,
    "ReduceMax": extreme(np.max, -1),
    "ReduceMin": extreme(np.min, 1),
    "ReduceL1": norm_1,
    "ReduceL2": lambda x, axis, keep: np.sqrt(square_sum(x, axis, keep)),
    "ReduceSumSquare": square_sum,
    "ReduceLogSum": lambda x, axis, keep: np.log(np.sum(x, axis=axis, keepdims=keep)),
    "ReduceLogSumExp": log_sum_exp,
}

KERNELS = [
    *(Kernel(name, reduction(function)) for name, function in REDUCTIONS.items()),
    Kernel("Softmax", softmax_like(special.softmax), accepts=lambda n: n.dtype() != np.float16),
    Kernel("LogSoftmax", softmax_like(special.log_softmax)),
    Kernel("Hardmax", softmax_like(hardmax)),
    Kernel("ArgMax", arg_extreme(np.argmax)),
    Kernel("ArgMin", arg_extreme(np.argmin)),
    Kernel("TopK", top_k, since=10),
    Kernel("CumSum", running(np.cumsum)),
    Kernel("CumProd", running(np.cumprod)),
    Kernel("LpNormalization", widened(lp_normalized)),
]
