"""Backward of interpolation: each gradient goes back to the pixels that its output was mixed from.

Interpolation is separable, so a row kernel handles one dimension at a time: it walks the outputs of
a row and adds to the inputs that they came from. Where an output lies in its input, and with which
weights, are the formulas of ``aten/src/ATen/native/UpSample.h``; cubic weights are those of R. Keys
(IEEE Transactions on Acoustics, Speech, and Signal Processing 29, 1981) with a = -0.75. Forward
operators are compositions of others (`composites`). It refuses antialiasing, which falls back.
"""

from __future__ import annotations

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.core import tensors
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out

_CENTRED = "(T(f_scale) * (i + T(0.5)) - T(0.5) if f_corners == 0 else T(f_scale) * i)"
_CUBIC = """
    at = {centred}
    low = math.floor(at)
    t = T(at - low)
    a = T(-0.75)
    for k in range(4):
        d = abs(t + T(1) - k)
        near = ((a + 2) * d - (a + 3)) * d * d + 1
        far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        to = min(max(int(low) - 1 + k, 0), m - 1)
        O[r * m + to] += X[i] * (near if d <= 1 else far)
"""
_LINEAR = """
    at = max({centred}, T(0))
    low = min(int(at), m - 1)
    t = min(T(at - low), T(1))
    O[r * m + low] += X[i] * (T(1) - t)
    O[r * m + min(low + 1, m - 1)] += X[i] * t
"""
_NEAREST = """
    O[r * m + min(int(T(f_scale) * (i + T({shift}))), m - 1)] += X[i]
"""
_ROW = "for j in range(m):\n    O[j] = T(0)\nfor i in range(n):"
TAPS = {
    "linear": _ROW + _LINEAR.format(centred=_CENTRED),
    "cubic": _ROW + _CUBIC.format(centred=_CENTRED),
    "nearest": _ROW + _NEAREST.format(shift=0),
    "nearest_exact": _ROW + _NEAREST.format(shift=0.5),
}
"""Name -> a row's text: `X` is a row of the outputs' gradients, `O` of the inputs'."""


def _scale(size: int, out_size: int, factor: float | None, corners: bool) -> float:
    """Return how far apart two neighbouring outputs lie in the input."""
    if corners:
        return (size - 1) / (out_size - 1) if out_size > 1 else 0.0
    return 1 / factor if factor else size / out_size


def _backward(how: str, op_name: str):
    op = overload(op_name)

    def kernel(grad_output, output_size, input_size, *rest, grad_input):
        corners = bool(rest[0]) if how in ("linear", "cubic") else False
        factors = rest[1:] if how in ("linear", "cubic") else rest
        if not types.supported(grad_output.dtype) or grad_output.is_complex():
            return fallback(op, grad_output, output_size, input_size, *rest, grad_input=grad_input)
        check_out(op, grad_input, torch.Size(input_size), grad_output.dtype)
        compute = types.KINDS[grad_output.dtype].compute
        wide = torch.float64 if compute == "f8" else torch.float32
        made = grad_output
        for place, size in enumerate(input_size[2:]):
            moved = rows.contiguous(made.movedim(2 + place, -1))
            n = moved.shape[-1]
            made = tensors.empty([*moved.shape[:-1], size], wide, grad_output.device.index)
            factor = factors[place] if place < len(factors) else None
            numbers = {"f_scale": _scale(size, n, factor, corners), "f_corners": float(corners)}
            rows.run(f"upsample_{how}", TAPS[how], compute, [moved], [made], (n, size), numbers)
            made = made.movedim(-1, 2 + place)
        traffic.NATIVE[op_name] += 1
        return rows.deliver(made, grad_input)

    return kernel


_NAMES = {
    "linear": ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"),
    "cubic": ("upsample_bicubic2d",),
    "nearest": tuple(f"upsample_nearest{d}d" for d in (1, 2, 3)),
    "nearest_exact": tuple(f"_upsample_nearest_exact{d}d" for d in (1, 2, 3)),
}
KERNELS = {
    f"{name}_backward.grad_input": _backward(how, f"{name}_backward.grad_input")
    for how, names in _NAMES.items()
    for name in names
}
