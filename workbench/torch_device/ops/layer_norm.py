"""Layer normalisation, forward and backward: one pass over a row's cache lines each.

A row is read from memory once: its mean and deviation, and the gradient's two sums, are taken while
it lies in the first-level cache. The gradients of weight and bias are sums over rows: each piece of
rows keeps its own partial sums, which are added in the end. Arithmetic is float32 for 16-bit types
and results are rounded once, as PyTorch's CPU kernels do. It refuses integers and complex numbers,
and weight and bias of different dtypes: they fall back, counted.
"""

# What is None only where the caller passed None is not told apart by types.
# pyright: reportOptionalMemberAccess=false, reportAttributeAccessIssue=false

from __future__ import annotations

from functools import cache
from math import prod

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise, rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops.reductions import reduce

_FORWARD = """
def kernel(w):
    T, n = {T}, w[2]
    X, W, B, O = p_{data}(w[3]), p_{kind}(w[4]), p_{kind}(w[5]), p_{data}(w[6])
    M, S, eps = p_{kind}(w[7]), p_{kind}(w[8]), T(f8_of_bits(w[9]))
    for r in range(w[0], w[1]):
        at = r * n
        total, squares = T(0), T(0)
        for i in range(n):
            total += {x}
        mean = total / T(n)
        for i in range(n):
            d = {x} - mean
            squares += d * d
        scale = T(1) / T(np.sqrt(squares / T(n) + eps))
        for i in range(n):
            O[at + i] = {normal}
        M[r], S[r] = {mean}, {scale}
    return 0
"""
_BACKWARD = """
def kernel(w):
    # a range of pieces; w: rows, their length, rows of a piece, then addresses
    T, rows, n, piece = {T}, w[2], w[3], w[4]
    G, X, M, S, W = p_{data}(w[5]), p_{data}(w[6]), p_{kind}(w[7]), p_{kind}(w[8]), p_{kind}(w[9])
    O, P, Q = p_{data}(w[10]), p_{T}(w[11]), p_{T}(w[12])
    for c in range(w[0], w[1]):
        part = c * n
        for i in range(n * {sums}):
            P[part + i] = T(0)
            Q[part + i] = T(0)
        for r in range(c * piece, min(rows, (c + 1) * piece)):
            at = r * n
            mean, scale = {load_mean}, {load_scale}
            a, b = T(0), T(0)
            for i in range(n * {data_too}):
                slope = {g} * {weight}
                a += slope
                b += slope * ({x} - mean)
            a, b = a / T(n), b * scale * scale / T(n)
            for i in range(n * {data_too}):
                slope = {g} * {weight}
                value = scale * (slope - a - ({x} - mean) * b)
                O[at + i] = {value}
            for i in range(n * {sums}):
                P[part + i] += {g} * ({x} - mean) * scale
                Q[part + i] += {g}
    return 0
"""
_PIECES = 32


@cache
def _forward_kernel(data: torch.dtype, kind: torch.dtype, weighted: bool, biased: bool) -> Kernel:
    compute = types.KINDS[data].compute
    x = types.load(data, "X[at + i]", compute)
    text = f"({x} - mean) * scale"
    text += f" * {types.load(kind, 'W[i]', compute)}" if weighted else ""
    text += f" + {types.load(kind, 'B[i]', compute)}" if biased else ""
    body = _FORWARD.format(
        T=compute, data=types.KINDS[data].pointer, kind=types.KINDS[kind].pointer, x=x,
        normal=types.store(data, text, compute), mean=types.store(kind, "mean", compute),
        scale=types.store(kind, "scale", compute),
    )  # fmt: skip
    return compile_kernel("layer_norm", body, fast=True)


@cache
def _backward_kernel(
    data: torch.dtype, kind: torch.dtype, weighted: bool, data_too: bool, sums: bool
) -> Kernel:
    compute = types.KINDS[data].compute
    body = _BACKWARD.format(
        T=compute, data=types.KINDS[data].pointer, kind=types.KINDS[kind].pointer,
        g=types.load(data, "G[at + i]", compute), x=types.load(data, "X[at + i]", compute),
        weight=types.load(kind, "W[i]", compute) if weighted else "T(1)",
        load_mean=types.load(kind, "M[r]", compute), load_scale=types.load(kind, "S[r]", compute),
        value=types.store(data, "value", compute), data_too=int(data_too), sums=int(sums),
    )  # fmt: skip
    return compile_kernel("layer_norm_backward", body, fast=True)


def _address(tensor: torch.Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr() + DELTA


def _contiguous(tensor: torch.Tensor | None) -> torch.Tensor | None:
    return None if tensor is None else rows.contiguous(tensor)


def _fits(name: str, data, inner: list[int], given: list[torch.Tensor]) -> bool:
    check_devices(f"aten::{name}", (data, *given), {})
    dtypes = {t.dtype for t in given}
    return (
        data.is_floating_point()
        and types.supported(data.dtype, *dtypes)
        and data.numel() > 0
        and len(inner) > 0
        and list(data.shape[-len(inner) :]) == inner
        and all(list(t.shape) == inner for t in given)
        and len(dtypes) < 2
        and all(types.KINDS[d].compute == types.KINDS[data.dtype].compute for d in dtypes)
    )


def native_layer_norm(data, normalized_shape, weight, bias, eps):
    """Normalise over the last dimensions; return result, means and reciprocal deviations."""
    inner, given = list(normalized_shape), [t for t in (weight, bias) if t is not None]
    if not _fits("native_layer_norm", data, inner, given):
        return fallback(overload("native_layer_norm"), data, normalized_shape, weight, bias, eps)
    data, weight, bias = map(_contiguous, (data, weight, bias))
    n, device = prod(inner), data.device.index
    count, kind = data.numel() // n, given[0].dtype if given else data.dtype
    out = tensors.empty(data.shape, data.dtype, device)
    kept = [*data.shape[: -len(inner)], *[1] * len(inner)]
    mean, scale = tensors.empty(kept, kind, device), tensors.empty(kept, kind, device)
    kernel = _forward_kernel(data.dtype, kind, weight is not None, bias is not None)
    words = (n, *map(_address, (data, weight, bias, out, mean, scale)),
             elementwise.number_words(float(eps))[1][0])  # fmt: skip
    launch(kernel, count, words, n)
    traffic.NATIVE["native_layer_norm"] += 1
    return out, mean, scale


def native_layer_norm_backward(grad, data, normalized_shape, mean, rstd, weight, bias, mask):
    """Return the gradients of the data, the weight and the bias, as far as `mask` asks."""
    inner = list(normalized_shape)
    given = [t for t in (weight, bias) if t is not None]
    if not _fits("native_layer_norm_backward", data, inner, [*given]) or grad.dtype != data.dtype:
        op = overload("native_layer_norm_backward")
        return fallback(op, grad, data, normalized_shape, mean, rstd, weight, bias, mask)
    grad, data, mean, rstd, weight = map(_contiguous, (grad, data, mean, rstd, weight))
    n, device = prod(inner), data.device.index
    count = data.numel() // n
    each = -(-count // _PIECES)
    pieces, sums = -(-count // each), bool(mask[1] or mask[2])
    out = tensors.empty(data.shape, data.dtype, device) if mask[0] else None
    wide = torch.float64 if data.dtype is torch.float64 else torch.float32
    partial = [tensors.empty([pieces, n], wide, device) for _ in range(2 if sums else 0)]
    kernel = _backward_kernel(data.dtype, mean.dtype, weight is not None, bool(mask[0]), sums)
    places = (grad, data, mean, rstd, weight, out, *(partial or (None, None)))
    launch(kernel, pieces, (count, n, each, *map(_address, places)), each * n)
    traffic.NATIVE["native_layer_norm_backward"] += 1
    totals: list = [None, None]
    for i, (wanted, like) in enumerate(zip(mask[1:], (weight, bias), strict=True)):
        if wanted and like is not None:
            made = reduce("sum", partial[i], [0], [like.dtype], [n])
            totals[i] = made[0].view(inner) if made else None
    return out, *totals


KERNELS = {
    "native_layer_norm": native_layer_norm,
    "native_layer_norm_backward": native_layer_norm_backward,
}
