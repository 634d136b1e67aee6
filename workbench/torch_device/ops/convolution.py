"""Convolution: three loops (result, gradient of the data, gradient of the weight) for all forms.

PyTorch asks an out-of-tree device for two operators of its own names. One-, two- and
three-dimensional convolutions are all done in three dimensions; a transposed convolution is the
data gradient of a plain one. Direct loops, the innermost along a row of pixels: a vendor library
does this ten times faster, and that is the lesson. It refuses complex numbers: they fall back.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.fallback import check_devices, fallback

_aten = torch.ops.aten

_HEAD = """
def kernel(w):
    a, b, o = p_{p}(w[2]), p_{p}(w[3]), p_{p}(w[4])
    groups, ci, co = w[5], w[6], w[7]
    id_, ih, iw, kd, kh, kw = w[8], w[9], w[10], w[11], w[12], w[13]
    od, oh, ow, sd, sh, sw = w[14], w[15], w[16], w[17], w[18], w[19]
    pd, ph, pw, dd, dh, dw = w[20], w[21], w[22], w[23], w[24], w[25]
    batch = w[26]
    ig, og = ci // groups, co // groups
"""
_FORWARD = (
    _HEAD
    + """
    line = np.empty(ow, {T})
    for r in range(w[0], w[1]):
        n, c = r // co, r % co
        g = c // og
        for z in range(od):
            for y in range(oh):
                for x in range(ow):
                    line[x] = {T}(0)
                for i in range(ig):
                    for u in range(kd):
                        zz = z * sd - pd + u * dd
                        if zz < 0 or zz >= id_:
                            continue
                        for v in range(kh):
                            yy = y * sh - ph + v * dh
                            if yy < 0 or yy >= ih:
                                continue
                            row = (((n * ci + g * ig + i) * id_ + zz) * ih + yy) * iw
                            taps = (((c * ig + i) * kd + u) * kh + v) * kw
                            for t in range(kw):
                                k = {b_taps}
                                shift = t * dw - pw
                                low = max(0, (sw - 1 - shift) // sw)
                                high = min(ow, (iw - 1 - shift) // sw + 1)
                                for x in range(low, high):
                                    line[x] += k * {a_row}
                base = (((n * co + c) * od + z) * oh + y) * ow
                for x in range(ow):
                    o[base + x] = {store}
    return 0
"""
)
_DATA = (
    _HEAD
    + """
    # a: gradient of the result, b: weight, o: gradient of the data; a row is one (n, input channel)
    plane = np.empty(id_ * ih * iw, {T})
    for r in range(w[0], w[1]):
        n, c = r // ci, r % ci
        g, i = c // ig, c % ig
        plane[:] = {T}(0)
        for k in range(g * og, (g + 1) * og):
            for z in range(od):
                for u in range(kd):
                    zz = z * sd - pd + u * dd
                    if zz < 0 or zz >= id_:
                        continue
                    for y in range(oh):
                        for v in range(kh):
                            yy = y * sh - ph + v * dh
                            if yy < 0 or yy >= ih:
                                continue
                            taps = (((k * ig + i) * kd + u) * kh + v) * kw
                            row = (((n * co + k) * od + z) * oh + y) * ow
                            for t in range(kw):
                                q = {b_taps}
                                shift = t * dw - pw
                                low = max(0, (sw - 1 - shift) // sw)
                                high = min(ow, (iw - 1 - shift) // sw + 1)
                                base = (zz * ih + yy) * iw + shift
                                for x in range(low, high):
                                    plane[base + x * sw] += q * {a_out}
        base = r * id_ * ih * iw
        for x in range(id_ * ih * iw):
            o[base + x] = {store_plane}
    return 0
"""
)
_WEIGHT = (
    _HEAD
    + """
    # a: data, b: gradient of the result, o: gradient of the weight; a row is one output channel
    for r in range(w[0], w[1]):
        g = r // og
        for i in range(ig):
            for u in range(kd):
                for v in range(kh):
                    for t in range(kw):
                        acc = f8(0)
                        shift = t * dw - pw
                        low = max(0, (sw - 1 - shift) // sw)
                        high = min(ow, (iw - 1 - shift) // sw + 1)
                        for n in range(batch):
                            for z in range(od):
                                zz = z * sd - pd + u * dd
                                if zz < 0 or zz >= id_:
                                    continue
                                for y in range(oh):
                                    yy = y * sh - ph + v * dh
                                    if yy < 0 or yy >= ih:
                                        continue
                                    row = (((n * ci + g * ig + i) * id_ + zz) * ih + yy) * iw
                                    place = (((n * co + r) * od + z) * oh + y) * ow
                                    part = {T}(0)
                                    for x in range(low, high):
                                        part += {a_row} * {b_place}
                                    acc += part
                        o[(((r * ig + i) * kd + u) * kh + v) * kw + t] = {store_acc}
    return 0
"""
)


@cache
def _kernel(which: str, dtype: torch.dtype) -> Kernel:
    kind = types.KINDS[dtype]

    def load(text):
        return types.load(dtype, text, kind.compute)

    text = {"forward": _FORWARD, "data": _DATA, "weight": _WEIGHT}[which].format(
        p=kind.pointer,
        T=kind.compute,
        a_row=load("a[row + x * sw + shift]"),
        a_out=load("a[row + x]"),
        b_taps=load("b[taps + t]"),
        b_place=load("b[place + x]"),
        store=types.store(dtype, "line[x]", kind.compute),
        store_plane=types.store(dtype, "plane[x]", kind.compute),
        store_acc=types.store(dtype, "acc", "f8" if kind.compute[0] == "f" else "i8"),
    )
    return compile_kernel(f"convolution_{which}", text, fast=True)


def _three(values, fill: int) -> list[int]:
    values = list(values)
    return [fill] * (3 - len(values)) + values


def _run(which, a, b, shape, plain, rows_, weight_of_row):
    """Run one of the three kernels; `plain` are the sizes of the convolution it belongs to."""
    device = a.device.index
    out = tensors.empty(shape, a.dtype, device)
    words = [t.data_ptr() + DELTA for t in (a, b, out)]
    if out.numel():
        launch(_kernel(which, a.dtype), rows_, (*words, *plain), weight_of_row)
    traffic.NATIVE[f"convolution {which}"] += 1
    return out


def _sizes(data_shape, weight_shape, out_shape, stride, padding, dilation, groups) -> list[int]:
    """Return the words that all three kernels share, for a plain convolution."""
    spatial = len(data_shape) - 2
    channels_in, channels_out = data_shape[1], out_shape[1]
    return [
        groups, channels_in, channels_out,
        *_three(data_shape[2:], 1), *_three(weight_shape[2:], 1), *_three(out_shape[2:], 1),
        *_three(_each(stride, spatial), 1), *_three(_each(padding, spatial), 0),
        *_three(_each(dilation, spatial), 1), data_shape[0],
    ]  # fmt: skip


def _each(values, spatial: int) -> list[int]:
    return list(values) * spatial if len(values) == 1 else list(values)


def _out_shape(data, weight, stride, padding, dilation, transposed, output_padding, groups):
    given = (stride, padding, dilation, transposed, output_padding, groups)
    like = [torch.empty(t.shape, dtype=t.dtype, device="meta") for t in (data, weight)]
    return list(_aten.convolution.default(*like, None, *given).shape)


def _fits(*given) -> bool:
    found = [t for t in given if t is not None]
    return all(t.dtype == found[0].dtype for t in found) and found[0].is_floating_point()


def _work(plain) -> int:
    """Return roughly how many multiply-adds one row costs."""
    _, ci, _, _, _, _, kd, kh, kw, od, oh, ow = plain[:12]
    return ci * kd * kh * kw * od * oh * ow


def convolution(data, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Compute a convolution of any of the six forms."""
    given = (stride, padding, dilation, transposed, output_padding, groups)
    check_devices("aten::convolution", (data, weight, bias), {})
    if not _fits(data, weight, bias):
        return fallback(_aten.convolution.default, data, weight, bias, *given)
    dtype = data.dtype
    if transposed and dtype is torch.float16:
        return _stepwise(data, weight, bias, *given)
    if bias is not None and dtype.itemsize == 2:  # so that the sum is rounded once
        data, weight, bias = (t.to(torch.float32) for t in (data, weight, bias))
        return convolution(data, weight, bias, *given).to(dtype)
    shape = _out_shape(data, weight, *given)
    a, b = rows.contiguous(data), rows.contiguous(weight)
    if transposed:
        plain = _sizes(shape, weight.shape, data.shape, stride, padding, dilation, groups)
        out = _run("data", a, b, shape, plain, shape[0] * shape[1], _work(plain))
    else:
        plain = _sizes(data.shape, weight.shape, shape, stride, padding, dilation, groups)
        out = _run("forward", a, b, shape, plain, shape[0] * shape[1], _work(plain))
    if bias is not None:
        out.add_(bias.reshape([1, -1] + [1] * (out.dim() - 2)))
    return out


def _stepwise(data, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Transpose-convolve float16 as the CPU does: one product per tap, each sum rounded."""
    given = (stride, padding, dilation, transposed, output_padding, groups)
    wide = data.to(torch.float32), weight.to(torch.float32)
    total = torch.zeros(1, dtype=torch.float16, device=data.device)
    for tap in product(*map(range, weight.shape[2:])):
        alone = torch.zeros_like(wide[1])
        alone[(..., *tap)] = wide[1][(..., *tap)]
        made = convolution(wide[0], alone, None, *given).to(torch.float16)
        total = total + made
    if bias is not None:
        total.add_(bias.reshape([1, -1] + [1] * (total.dim() - 2)))
    return total


def convolution_backward(
    grad_output, data, weight, stride, padding, dilation, transposed, output_padding, groups, mask
):
    """Compute the gradients of data, weight and bias that are asked for."""
    if not _fits(grad_output, data, weight):
        bias_size = [weight.shape[1] * groups if transposed else weight.shape[0]]
        return fallback(
            _aten.convolution_backward.default, grad_output, data, weight, bias_size, stride,
            padding, dilation, transposed, output_padding, groups, mask,
        )  # fmt: skip
    go, a, b = (rows.contiguous(t) for t in (grad_output, data, weight))
    outer, inner = (a, go) if transposed else (go, a)
    plain = _sizes(inner.shape, weight.shape, outer.shape, stride, padding, dilation, groups)
    grad_data = grad_weight = None
    work = _work(plain)
    if mask[0]:
        which, count = ("forward", a) if transposed else ("data", a)
        grad_data = _run(which, go, b, data.shape, plain, count.shape[0] * count.shape[1], work)
    if mask[1]:
        args = (go, a) if transposed else (a, go)
        grad_weight = _run("weight", *args, weight.shape, plain, weight.shape[0], work)
    dims = [d for d in range(go.dim()) if d != 1]
    return grad_data, grad_weight, go.sum(dims) if mask[2] else None


KERNELS = {
    "convolution_overrideable": convolution,
    "convolution_backward_overrideable": convolution_backward,
}
