"""The device's vendor library: the CPU's BLAS and oneDNN, run in place on device memory.

CUDA has cuBLAS and cuDNN for the operators where a good kernel takes years; this device has the
host's libraries in that role. They work on the kernels' mapping of device memory, so nothing is
copied, and are queued on streams like any kernel. `switch(False)`, or
``WORKBENCH_VENDOR_LIBRARY=0`` in the environment, leaves everything to our own kernels: what a
vendor library buys is measured, not assumed. Its calls are counted in `traffic.VENDOR`, and are
never called native.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

from workbench.errors import InputError
from workbench.torch_device import traffic
from workbench.torch_device.core import streams, tensors
from workbench.torch_device.core.tensors import NAME, host
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, upload

WRITING = (
    "mm.out", "bmm.out", "addmm.out", "baddbmm.out", "addmv.out", "_softmax.out",
    "_log_softmax.out", "_softmax_backward_data.out", "_log_softmax_backward_data.out",
    "gelu.out", "gelu_backward.grad_input", "avg_pool2d.out", "avg_pool2d_backward.grad_input",
    "max_pool2d_with_indices.out", "max_pool2d_with_indices_backward.grad_input",
    "upsample_bilinear2d.out", "upsample_nearest2d.out", "nll_loss_forward.output",
    "nll_loss_backward.grad_input", "exp.out", "log.out", "tanh.out", "sigmoid.out", "erf.out",
    "sin.out", "cos.out", "silu.out", "silu_backward.grad_input", "log1p.out", "expm1.out",
    "pow.Tensor_Tensor_out", "pow.Tensor_Scalar_out",
)  # fmt: skip
"""Operators that write into an output: the library writes straight into device memory."""

LEFT = {"mm.out": 0, "bmm.out": 0, "addmm.out": 1, "baddbmm.out": 1, "addmv.out": 1}
"""Products -> which argument is the left factor: its last size is how much an element costs."""

RETURNING = (
    "native_batch_norm", "native_batch_norm_backward",
    "native_group_norm", "native_group_norm_backward",
    "_adaptive_avg_pool2d", "_adaptive_avg_pool2d_backward", "embedding_dense_backward",
    "convolution_overrideable", "convolution_backward_overrideable", "dot",
)  # fmt: skip
"""Operators that return new tensors: their results are moved into blocks of the device."""

_TERMS = 8  # a result's element costs about as much as so many additions

_LIBRARY_NAMES = {"convolution_overrideable": "convolution"}
_SMALL = 1 << 12  # elements: below it our own elementwise kernels start faster
POINTWISE = {
    name for name in WRITING
    if name.partition(".")[0] in (
        "exp", "log", "tanh", "sigmoid", "erf", "sin", "cos", "silu", "silu_backward", "log1p",
        "expm1", "pow", "gelu", "gelu_backward",
    )
}  # fmt: skip


def _from_environment() -> bool:
    text = os.environ.get("WORKBENCH_VENDOR_LIBRARY", "1")
    if text not in ("0", "1"):
        raise InputError(
            "The environment variable WORKBENCH_VENDOR_LIBRARY cannot be used.",
            repr(text),
            "0 or 1",
        )
    return text == "1"


enabled = _from_environment()


listener: Callable[[bool], object] = lambda on: None  # noqa: E731
"""Told when the library is switched; the shim, which calls it without Python, puts its own here."""


def switch(on: bool) -> bool:
    """Turn the vendor library on or off and return whether it was on."""
    global enabled
    previous, enabled = enabled, bool(on)
    listener(enabled)
    return previous


def _down(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return host(value) if value.device.type == NAME else value
    if isinstance(value, (list, tuple)):
        return [_down(item) for item in value]
    return value


def _device_tensors(args, kwargs) -> list[torch.Tensor]:
    return [v for v in (*args, *kwargs.values())
            if isinstance(v, torch.Tensor) and v.device.type == NAME]  # fmt: skip


def _writing(name: str, own: Callable) -> Callable:
    op = overload(name)
    outs = [a.name for a in op._schema.arguments if a.is_out]
    small = _SMALL if name in POINTWISE else 0

    def kernel(*args, **kwargs):
        if not enabled or any(o not in kwargs for o in outs):
            return own(*args, **kwargs)
        results = [kwargs[o] for o in outs]
        if results[0].numel() < small or not results[0].numel():
            return own(*args, **kwargs)
        check_devices(f"aten::{name}", args, kwargs)

        there, given = [_down(a) for a in args], {k: _down(v) for k, v in kwargs.items()}

        def work():  # over aliases made now: until it runs, a tensor may be given other memory
            shapes = [given[o].shape for o in outs]
            op(*there, **given)
            for one, o, shape in zip(results, outs, shapes, strict=True):
                if given[o].shape != shape:  # an `out=` of the wrong shape: PyTorch resized it
                    one.resize_(given[o].shape)
                    host(one).copy_(given[o])

        terms = there[LEFT[name]].shape[-1] if name in LEFT else 1
        amount = results[0].numel() * terms
        streams.launch(f"aten::{name}", work, amount, results[0].device.index)
        traffic.VENDOR[name] += 1
        return results[0] if len(results) == 1 else tuple(results)

    return kernel


_layouts: dict[tuple, list] = {}
"""Operator and its arguments' layouts -> its results' layouts, learned from the first call."""


def _layout(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.shape, value.stride(), value.dtype
    return tuple(map(_layout, value)) if isinstance(value, (list, tuple)) else value


def _returning(name: str, op: Any, args, kwargs) -> Any:
    """Answer an operator whose results are new: queued where it is known what they will be."""
    given = _device_tensors(args, kwargs)
    device = given[0].device.index
    there, named = [_down(a) for a in args], {k: _down(v) for k, v in kwargs.items()}
    key = (name, _layout(args), _layout(tuple(kwargs.items())))
    traffic.VENDOR[name] += 1
    layouts = _layouts.get(key)
    if layouts is None:
        streams.wait_for_current(device)
        results = op(*there, **named)
        several = results if isinstance(results, tuple) else (results,)
        _layouts[key] = [None if r is None else _layout(r) for r in several]
        return _up(results, device)
    made = [one and tensors.empty_strided(one[0], one[1], one[2], device) for one in layouts]
    targets = [None if one is None else host(one) for one in made]

    def work():
        results = op(*there, **named)
        for target, result in zip(
            targets, results if isinstance(results, tuple) else (results,), strict=True
        ):
            if target is not None:
                target.copy_(result)

    streams.launch(f"aten::{name}", work, max(t.numel() for t in given) * _TERMS, device)
    return tuple(made) if len(made) > 1 else made[0]


def _up(value: Any, device: int) -> Any:
    if isinstance(value, torch.Tensor):
        return upload(value, device)
    if isinstance(value, tuple):
        return tuple(_up(item, device) for item in value)
    return value


def _choosing(name: str, own: Callable) -> Callable:
    op = overload(_LIBRARY_NAMES.get(name, name))

    def kernel(*args, **kwargs):
        if not enabled:
            return own(*args, **kwargs)
        check_devices(f"aten::{name}", args, kwargs)
        return _returning(name, op, args, kwargs)

    return kernel


def _convolution_backward(own: Callable) -> Callable:
    name, op = "convolution_backward_overrideable", torch.ops.aten.convolution_backward.default

    def kernel(grad, data, weight, stride, padding, dilation, transposed, extra, groups, mask):
        given = (stride, padding, dilation, transposed, extra, groups, mask)
        if not enabled:
            return own(grad, data, weight, *given)
        bias_size = [weight.shape[1] * groups if transposed else weight.shape[0]]
        return _returning(name, op, (grad, data, weight, bias_size, *given), {})

    return kernel


def wrap(kernels: dict[str, Callable]) -> dict[str, Callable]:
    """Return the kernels that choose between the library and our own, for a table of our own."""
    found: dict[str, Callable] = {}
    for name in WRITING:
        if name in kernels:
            found[name] = _writing(name, kernels[name])
    for name in RETURNING:
        if name == "convolution_backward_overrideable":
            found[name] = _convolution_backward(kernels[name])
        elif name in kernels:
            found[name] = _choosing(name, kernels[name])
    return found
