"""The kernels that a simulated Ascend device comes with, by the names that the provider calls.

``kernel(attributes, *inputs)``: attributes are a dictionary as the provider sets it, an input that
is left out is None. A learner replaces any of them. They are plain NumPy, meant to be read; speed
is not their point, and nothing here says how long a real device would take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from workbench.portability.provider import kernels_elementwise as elementwise
from workbench.portability.provider import kernels_nn as layers
from workbench.portability.provider.graph import Node

Kernel = Callable[..., Any]


def node(operator: str, attributes: Mapping[str, Any]) -> Node:
    """Return a node record that carries attributes, for kernels that are written over nodes."""
    return Node(operator, operator, "", 20, (), (None,), dict(attributes))


def matmul(attributes, a, b, bias=None):
    """Products of the last two axes, either transposed on request."""
    a = a.swapaxes(-1, -2) if attributes.get("adj_x1") or attributes.get("transpose_x1") else a
    b = b.swapaxes(-1, -2) if attributes.get("adj_x2") or attributes.get("transpose_x2") else b
    product = np.matmul(a, b)
    return product if bias is None else product + bias


def gemm(attributes, a, b, c, alpha=1.0, beta=1.0):
    """Alpha op(A) op(B) + beta C."""
    a = a.T if attributes.get("transpose_a") else a
    b = b.T if attributes.get("transpose_b") else b
    product = np.asarray(alpha) * (a.astype(np.float32) @ b.astype(np.float32))
    return product if c is None else product + np.asarray(beta) * c


def conv2d(attributes, x, weights, bias=None):
    """Cross-correlation; `strides` and `dilations` begin with 1, 1 for batch and channels."""
    inner = {
        "strides": list(attributes.get("strides", [1, 1]))[-(x.ndim - 2) :],
        "dilations": list(attributes.get("dilations", [1, 1]))[-(x.ndim - 2) :],
        "pads": list(attributes.get("pads", [0] * 2 * (x.ndim - 2))),
        "group": attributes.get("group", 1),
    }
    return layers.convolution(node("Conv", inner), x, weights, bias)


def softmax(attributes, x):
    """exp(x - max) / sum, along `axis`."""
    axis = attributes.get("axis", -1)
    shifted = np.exp(x - x.max(axis, keepdims=True))
    return shifted / shifted.sum(axis, keepdims=True)


def max_pool(attributes, x):
    """Return the largest in each window; `ksize` and `strides` begin with 1, 1."""
    return layers.max_pool(node("MaxPool", _pool(attributes, x)), x)


def average_pool(attributes, x):
    """Return the mean of each window."""
    inner = _pool(attributes, x)
    inner["count_include_pad"] = int(bool(attributes.get("exclusive")))
    return layers.average_pool(node("AveragePool", inner), x)


def _pool(attributes, x):
    rank = x.ndim - 2
    return {
        "kernel_shape": list(attributes["ksize"])[-rank:],
        "strides": list(attributes["strides"])[-rank:],
        "pads": list(attributes.get("pads") or [0] * 2 * rank),
        "ceil_mode": int(bool(attributes.get("ceil_mode"))),
    }


def batch_norm(attributes, x, scale, shift, mean, variance):
    """(x - mean) / sqrt(variance + epsilon) * scale + shift; the statistics pass through."""
    inner = {"epsilon": attributes.get("epsilon", 1e-5)}
    result = layers.batch_norm(node("BatchNormalization", inner), x, scale, shift, mean, variance)
    return result, mean, variance, mean, variance


def flatten(attributes, x):
    """To two dimensions; the provider says of which shape."""
    return x


def without_attributes(function: Kernel) -> Kernel:
    """Make a kernel of a function of the inputs alone."""
    return lambda attributes, *inputs: function(*inputs)


KERNELS: dict[str, Kernel] = {
    "MatMul": matmul,
    "GEMM": gemm,
    "Conv2D": conv2d,
    "Softmax": softmax,
    "MaxPoolV3": max_pool,
    "AvgPoolV2": average_pool,
    "BatchNorm": batch_norm,
    "Flatten": flatten,
    "Fill": lambda attributes, dims, value: np.full([int(d) for d in dims], value),
    "BroadcastToD": lambda attributes, x: np.broadcast_to(x, attributes["shape"]),
    "Cast": lambda attributes, x: x,
    "TransposeD": lambda attributes, x: np.transpose(x, attributes["perm"]),
    "Div": lambda attributes, x, y: elementwise.any_divide(None, x, y),
    **{
        name: without_attributes(function)
        for table in (elementwise.UNARY, elementwise.BINARY)
        for name, function in table.items()
    },
}
