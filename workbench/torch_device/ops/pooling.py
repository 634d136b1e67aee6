"""Pooling: average, adaptive average and maximum over windows, in two and three dimensions.

Two-dimensional pooling is done as three-dimensional with one plane. The maximum's gradient is a
scatter by the positions it returned. Shapes are checked by PyTorch's own meta functions. It refuses
integers: they fall back, counted.
"""

from __future__ import annotations

from functools import cache
from math import prod

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out

_WINDOW = """
        for z in range(od):
            z0, z1, zs = {z}
            for y in range(oh):
                y0, y1, ys = {y}
                for x in range(ow):
                    x0, x1, xs = {x}
"""
_FIXED = (
    "max(0, {o} * {s} - {p}), min({i}, {o} * {s} - {p} + {k}), "
    "(min({i} + {p}, {o} * {s} - {p} + {k}) - ({o} * {s} - {p}))"
)
_ADAPTIVE = "{o} * {i} // {n}, (({o} + 1) * {i} + {n} - 1) // {n}, 1"
_HEAD = """
def kernel(w):
    a, o = p_{p}(w[2]), p_{p}(w[3])
    id_, ih, iw, od, oh, ow = w[4], w[5], w[6], w[7], w[8], w[9]
    kd, kh, kw, sd, sh, sw = w[10], w[11], w[12], w[13], w[14], w[15]
    pd, ph, pw = w[16], w[17], w[18]
    dd, dh, dw, padded, divisor = w[19], w[20], w[21], w[22], w[23]
    for r in range(w[0], w[1]):
        src, dst = r * id_ * ih * iw, r * od * oh * ow
"""
_SIZE = """
                    size = zs * ys * xs if padded else (z1 - z0) * (y1 - y0) * (x1 - x0)
                    if divisor:
                        size = divisor
"""
_MEAN = (
    _SIZE
    + """
                    acc = {T}(0)
                    for u in range(z0, z1):
                        for v in range(y0, y1):
                            for t in range(x0, x1):
                                acc += {load}
                    o[dst + (z * oh + y) * ow + x] = {store}
"""
)
_STEPS = """
                    acc = {T}(0)
                    for u in range(z0, z1):
                        for v in range(y0, y1):
                            for t in range(x0, x1):
                                acc = R(acc + {load})
                    acc = R(R(acc / (z1 - z0)) / (y1 - y0))
                    o[dst + (z * oh + y) * ow + x] = {store_steps}
"""
_SPREAD = (
    _SIZE
    + """
                    share = {load_out} / size
                    for u in range(z0, z1):
                        for v in range(y0, y1):
                            for t in range(x0, x1):
                                plane[(u * ih + v) * iw + t] += share
        for t in range(id_ * ih * iw):
            o[src + t] = {store_plane}
"""
)
_MAX = """
def kernel(w):
    a, o, q = p_{p}(w[2]), p_{p}(w[3]), p_i8(w[24])
    id_, ih, iw, od, oh, ow = w[4], w[5], w[6], w[7], w[8], w[9]
    kd, kh, kw, sd, sh, sw = w[10], w[11], w[12], w[13], w[14], w[15]
    pd, ph, pw = w[16], w[17], w[18]
    dd, dh, dw = w[19], w[20], w[21]
    for r in range(w[0], w[1]):
        src, dst = r * id_ * ih * iw, r * od * oh * ow
        for z in range(od):
            for y in range(oh):
                for x in range(ow):
                    best, at = {T}(-np.inf), -1
                    for u in range(z * sd - pd, z * sd - pd + kd * dd, dd):
                        for v in range(y * sh - ph, y * sh - ph + kh * dh, dh):
                            for t in range(x * sw - pw, x * sw - pw + kw * dw, dw):
                                if u < 0 or v < 0 or t < 0 or u >= id_ or v >= ih or t >= iw:
                                    continue
                                value = {load}
                                if at < 0 or value > best or value != value:
                                    best, at = value, (u * ih + v) * iw + t
                    o[dst + (z * oh + y) * ow + x] = {store_best}
                    q[dst + (z * oh + y) * ow + x] = at
    return 0
"""


def _window(adaptive: bool) -> str:
    texts = {}
    for o, i, n, s, p, k in (
        ("z", "id_", "od", "sd", "pd", "kd"),
        ("y", "ih", "oh", "sh", "ph", "kh"),
        ("x", "iw", "ow", "sw", "pw", "kw"),
    ):
        template = _ADAPTIVE if adaptive else _FIXED
        texts[o] = template.format(o=o, i=i, n=n, s=s, p=p, k=k)
    return _WINDOW.format(**texts)


@cache
def _kernel(which: str, dtype: torch.dtype, adaptive: bool) -> Kernel:
    kind = types.KINDS[dtype]
    if which == "max":
        text = _MAX
    elif which == "steps":  # adaptive in three dimensions: the CPU's kernel rounds each step
        text = types.rounded(_HEAD + _window(True) + _STEPS + "    return 0\n", dtype)
    elif which == "mean":
        text = _HEAD + _window(adaptive) + _MEAN + "    return 0\n"
    else:
        plane = "        plane = np.zeros(id_ * ih * iw, {T})\n"
        text = _HEAD + plane + _window(adaptive) + _SPREAD + "    return 0\n"
    place = "a[src + (u * ih + v) * iw + t]"
    text = text.format(
        p=kind.pointer,
        T=kind.compute,
        load=types.load(dtype, place, kind.compute),
        load_out=types.load(dtype, "a[dst + (z * oh + y) * ow + x]", kind.compute),
        store=types.store(dtype, "acc / size", kind.compute),
        store_steps=types.store(dtype, "acc / (x1 - x0)", kind.compute),
        store_best=types.store(dtype, "best", kind.compute),
        store_plane=types.store(dtype, "plane[t]", kind.compute),
    )
    return compile_kernel(f"pool_{which}", text)


def _three(values, spatial: int, fill: int) -> list[int]:
    values = list(values)
    values = values * spatial if len(values) == 1 else values
    return [fill] * (3 - spatial) + values


def _pool(which, spatial, a, out, small, large, window=None, extra=(), indices=None):
    """Run a pooling kernel; `small` and `large` are the shapes of result and data."""
    adaptive = window is None
    kernel_size, stride, padding, dilation = window or ([1], [1], [0], [1])
    words = [
        a.data_ptr() + DELTA, out.data_ptr() + DELTA,
        *_three(large[-spatial:], spatial, 1), *_three(small[-spatial:], spatial, 1),
        *_three(kernel_size, spatial, 1), *_three(stride or kernel_size, spatial, 1),
        *_three(padding, spatial, 0), *_three(dilation, spatial, 1), *(extra or (0, 0)),
    ]  # fmt: skip
    if indices is not None:
        words.append(indices.data_ptr() + DELTA)
    planes = prod(large[:-spatial])
    if planes and out.numel():
        weight = prod(large[-spatial:]) * 4
        launch(_kernel(which, a.dtype, adaptive), planes, tuple(words), weight)
    traffic.NATIVE[f"pool {which}"] += 1
    return out


def _fits(*given) -> bool:
    return all(t.is_floating_point() and types.supported(t.dtype) for t in given)


def _meta(op, *args):
    """Return the shape of a result, raising what PyTorch raises for wrong arguments."""
    made = op(*[torch.empty_like(a, device="meta") if isinstance(a, torch.Tensor) else a
                for a in args])  # fmt: skip
    return (made[0] if isinstance(made, tuple) else made).shape


def _average(spatial: int):
    name = f"avg_pool{spatial}d"
    op, meta = overload(f"{name}.out"), overload(name)

    def forward(self, kernel_size, stride=(), padding=(0,), ceil_mode=False,
                count_include_pad=True, divisor_override=None, *, out):  # fmt: skip
        given = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
        if not _fits(self, out):
            return fallback(op, self, *given, out=out)
        shape = _meta(meta, self, *given)
        check_out(op, out, shape, self.dtype)
        made = tensors.empty(shape, self.dtype, self.device.index)
        window = (kernel_size, stride, padding, [1])
        extra = (int(count_include_pad), divisor_override or 0)
        _pool("mean", spatial, rows.contiguous(self), made, shape, self.shape, window, extra)
        return rows.deliver(made, out)

    def backward(grad_output, self, kernel_size, stride, padding, ceil_mode, count_include_pad,
                 divisor_override, *, grad_input):  # fmt: skip
        given = (kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
        if not _fits(self, grad_output):
            back = overload(f"{name}_backward.grad_input")
            return fallback(back, grad_output, self, *given, grad_input=grad_input)
        check_out(op, grad_input, self.shape, self.dtype)
        made = tensors.empty(self.shape, self.dtype, self.device.index)
        window = (kernel_size, stride, padding, [1])
        extra = (int(count_include_pad), divisor_override or 0)
        go = rows.contiguous(grad_output)
        _pool("spread", spatial, go, made, go.shape, self.shape, window, extra)
        return rows.deliver(made, grad_input)

    return {f"{name}.out": forward, f"{name}_backward.grad_input": backward}


def _adaptive_average(spatial: int):
    name = f"_adaptive_avg_pool{spatial}d"
    op = overload(name)

    def forward(self, output_size):
        if not _fits(self):
            return fallback(op, self, output_size)
        shape = _meta(op, self, output_size)
        made = tensors.empty(shape, self.dtype, self.device.index)
        which = "steps" if spatial == 3 and self.dtype.itemsize == 2 else "mean"
        return _pool(which, spatial, rows.contiguous(self), made, shape, self.shape)

    def backward(grad_output, self):
        if not _fits(self, grad_output):
            return fallback(overload(f"{name}_backward"), grad_output, self)
        go = rows.contiguous(grad_output)
        made = tensors.empty(self.shape, self.dtype, self.device.index)
        return _pool("spread", spatial, go, made, go.shape, self.shape)

    return {name: forward, f"{name}_backward": backward}


def _maximum(spatial: int):
    name = f"max_pool{spatial}d_with_indices"
    meta = overload(name)

    def forward(self, kernel_size, stride=(), padding=(0,), dilation=(1,), ceil_mode=False):
        given = (kernel_size, stride, padding, dilation, ceil_mode)
        if not _fits(self):
            return fallback(meta, self, *given)
        shape = _meta(meta, self, *given)
        values = tensors.empty(shape, self.dtype, self.device.index)
        places = tensors.empty(shape, torch.int64, self.device.index)
        window = (kernel_size, stride, padding, dilation)
        data = rows.contiguous(self)
        _pool("max", spatial, data, values, shape, self.shape, window, indices=places)
        return values, places

    def into(self, kernel_size, stride=(), padding=(0,), dilation=(1,), ceil_mode=False, *, out,
             indices):  # fmt: skip
        made = forward(self, kernel_size, stride, padding, dilation, ceil_mode)
        for one, target in zip(made, (out, indices), strict=True):
            check_out(None, target, one.shape, one.dtype)
            rows.copy(one, target)
        return out, indices

    def backward(grad_output, self, kernel_size, stride, padding, dilation, ceil_mode, indices, *,
                 grad_input=None):  # fmt: skip
        planes = prod(self.shape[:-spatial])
        flat = torch.zeros([planes, prod(self.shape[-spatial:])], dtype=self.dtype,
                           device=self.device)  # fmt: skip
        flat.scatter_add_(1, indices.reshape(planes, -1), grad_output.reshape(planes, -1))
        made = flat.view(self.shape)
        if grad_input is None:
            return made
        check_out(None, grad_input, self.shape, self.dtype)
        return rows.deliver(made, grad_input)

    table = {f"{name}.out": into, f"{name}_backward.grad_input": backward}
    if spatial == 3:
        table |= {name: forward, f"{name}_backward": backward}
    return table


KERNELS = {
    **_average(2), **_average(3), **_adaptive_average(2), **_adaptive_average(3),
    **_maximum(2), **_maximum(3),
}  # fmt: skip
