"""Kernels of the layers: products, convolutions, pooling, normalisation.

A convolution is written as a product over windows (im2col, K. Chellapilla et al. 2006): the windows
are a strided view, the product is NumPy's. Formulas as on https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from workbench.portability.provider.engine import Kernel
from workbench.portability.provider.kernels_elementwise import floating, widened


def matmul(node, a, b):
    """NumPy's rules are ONNX's."""
    return np.matmul(a, b)


def gemm(node, a, b, c=None):
    """Alpha op(A) op(B) + beta C."""
    a = a.T if node.get("transA", 0) else a
    b = b.T if node.get("transB", 0) else b
    product = node.get("alpha", 1.0) * (a @ b)
    return product if c is None else product + node.get("beta", 1.0) * c


def windows(node, x, kernel, fill):
    """Return every window of `x` as a view ``[n, c, *out, *kernel]`` after padding."""
    rank, sizes = len(kernel), x.shape[2:]
    strides, dilations = node.get("strides", [1] * rank), node.get("dilations", [1] * rank)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = padding(node, sizes, reach, strides)
    counts = [
        window_count(size + sum(pad), pad[0] + size, r, s, node.get("ceil_mode", 0))
        for size, pad, r, s in zip(sizes, pads, reach, strides, strict=True)
    ]
    ends = [
        (pad[0], max(pad[1], (n - 1) * s + r - size - pad[0]))
        for n, size, pad, r, s in zip(counts, sizes, pads, reach, strides, strict=True)
    ]
    padded = np.pad(x, [(0, 0), (0, 0), *ends], constant_values=fill)
    views = sliding_window_view(padded, reach, axis=tuple(range(2, 2 + rank)))
    step = [slice(0, (n - 1) * s + 1, s) for n, s in zip(counts, strides, strict=True)]
    return views[(slice(None), slice(None), *step, *(slice(None, None, d) for d in dilations))]


def window_count(padded, content_end, reach, stride, ceil):
    """Return how many windows fit; with `ceil` a last one may hang over, but starts inside."""
    if not ceil:
        return (padded - reach) // stride + 1
    count = -(-(padded - reach) // stride) + 1
    return count - 1 if (count - 1) * stride >= content_end else count


def padding(node, sizes, reach, strides):
    """Return the padding of each spatial axis, explicit or by `auto_pad`."""
    mode = node.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = node.get("pads", [0] * 2 * len(sizes))
        return list(zip(pads[: len(sizes)], pads[len(sizes) :], strict=True))
    if mode == "VALID":
        return [(0, 0)] * len(sizes)
    found = []
    for size, r, s in zip(sizes, reach, strides, strict=True):
        total = max(0, (-(-size // s) - 1) * s + r - size)
        small = total // 2
        found.append((small, total - small) if mode == "SAME_UPPER" else (total - small, small))
    return found


def convolution(node, x, w, bias=None):
    """Cross-correlation in groups."""
    rank, groups = x.ndim - 2, node.get("group", 1)
    views = windows(node, x, w.shape[2:], 0)
    n, out = x.shape[0], views.shape[2 : 2 + rank]
    spatial = tuple(range(2, 2 + rank))
    order = (0, *spatial, 1, *range(2 + rank, 2 + 2 * rank))
    columns = views.transpose(order).reshape(n, int(np.prod(out)), groups, -1)
    weights = w.reshape(groups, w.shape[0] // groups, -1)
    product = np.matmul(columns.transpose(0, 2, 1, 3), weights.transpose(0, 2, 1)[None])
    result = product.transpose(0, 1, 3, 2).reshape(n, w.shape[0], *out)
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


def max_pool(node, x):
    """Return the largest in each window."""
    lowest = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    views = windows(node, x, node.get("kernel_shape"), lowest)
    return views.max(tuple(range(x.ndim, views.ndim)))


def average_pool(node, x):
    """Return the mean of each window, with or without the padding."""
    kernel = node.get("kernel_shape")
    axes = tuple(range(x.ndim, 2 * x.ndim - 2))
    total = windows(node, x, kernel, 0).sum(axes)
    ones = np.ones((1, 1, *x.shape[2:]), x.dtype)
    if not node.get("count_include_pad", 0):
        return total / windows(node, ones, kernel, 0).sum(axes)
    if not node.get("ceil_mode", 0):
        return total / int(np.prod(kernel))
    half = len(node.get("pads", [0] * 2 * len(kernel))) // 2
    pads = node.get("pads", [0] * 2 * len(kernel))
    own = [(0, 0), (0, 0), *zip(pads[:half], pads[half:], strict=True)]
    inside = replace(node, attributes={**node.attributes, "pads": [0] * 2 * half})
    counts = windows(inside, np.pad(ones, own, constant_values=1), kernel, 0).sum(axes)
    return total / counts[(..., *(slice(size) for size in total.shape[2:]))]


def global_pool(function):
    """Make a kernel over all spatial axes."""
    return widened(lambda node, x: function(x, axis=tuple(range(2, x.ndim)), keepdims=True))


def batch_norm(node, x, scale, shift, mean, variance):
    """(x - mean) / sqrt(variance + epsilon) * scale + shift, by channel."""
    shape = (-1, *[1] * (x.ndim - 2))
    inverse = scale / np.sqrt(variance + node.get("epsilon", 1e-5))
    return (x - mean.reshape(shape)) * inverse.reshape(shape) + shift.reshape(shape)


def normalized(x, axes, epsilon):
    """Return x with mean 0 and variance 1 over `axes`, and both statistics."""
    mean = x.mean(axes, keepdims=True)
    inverse = 1 / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + np.float32(epsilon))
    return (x - mean) * inverse, mean, inverse


def layer_norm(node, x, scale, shift=None):
    """Over the axes from `axis` on."""
    axes = tuple(range(node.get("axis", -1) % x.ndim, x.ndim))
    result, mean, inverse = normalized(x, axes, node.get("epsilon", 1e-5))
    result = result * scale
    return (result if shift is None else result + shift), mean, inverse


def rms_norm(node, x, scale):
    """Divide by the root of the mean square (B. Zhang and R. Sennrich, 2019)."""
    axes = tuple(range(node.get("axis", -1) % x.ndim, x.ndim))
    power = (x * x).mean(axes, keepdims=True) + np.float32(node.get("epsilon", 1e-5))
    return x / np.sqrt(power) * scale


def instance_norm(node, x, scale, shift):
    """By sample and channel."""
    result = normalized(x, tuple(range(2, x.ndim)), node.get("epsilon", 1e-5))[0]
    shape = (-1, *[1] * (x.ndim - 2))
    return result * scale.reshape(shape) + shift.reshape(shape)


def group_norm(node, x, scale, shift):
    """By groups of channels; scale and shift are by channel from opset 21 on."""
    groups = node.get("num_groups")
    parts = x.reshape(x.shape[0], groups, -1)
    result = normalized(parts, (2,), node.get("epsilon", 1e-5))[0].reshape(x.shape)
    shape = (-1, *[1] * (x.ndim - 2))
    return result * scale.reshape(shape) + shift.reshape(shape)


def einsum(node, *inputs):
    """NumPy's notation is ONNX's."""
    return np.einsum(node.get("equation").replace(" ", ""), *inputs)


def local_response(node, x):
    """X / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta."""
    size = node.get("size")
    before, after = (size - 1) // 2, size // 2
    squares = np.pad(x * x, [(0, 0), (before, after), *[(0, 0)] * (x.ndim - 2)])
    total = sliding_window_view(squares, size, axis=1).sum(-1)
    factor = node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * total
    return x / factor ** node.get("beta", 0.75)


def one_output(node):
    """Accept floats where only the first output is asked for."""
    return floating(node) and sum(value is not None for value in node.outputs) == 1


KERNELS = [
    Kernel("MatMul", matmul, accepts=lambda node: node.dtype() != np.float16),
    Kernel("Gemm", widened(gemm), since=7, accepts=floating),
    Kernel("Conv", widened(convolution), accepts=floating),
    Kernel("MaxPool", widened(max_pool), accepts=one_output),
    Kernel("AveragePool", widened(average_pool), since=7),
    Kernel("GlobalAveragePool", global_pool(np.mean)),
    Kernel("GlobalMaxPool", global_pool(np.max)),
    Kernel("BatchNormalization", widened(batch_norm), since=9, accepts=one_output),
    Kernel("LayerNormalization", widened(layer_norm), accepts=floating),
    Kernel("RMSNormalization", widened(rms_norm), accepts=floating),
    Kernel("InstanceNormalization", widened(instance_norm), since=6),
    Kernel("GroupNormalization", widened(group_norm), since=21),
    Kernel("Einsum", einsum, accepts=floating),
    Kernel("LRN", widened(local_response)),
]
