"""Fused optimizers: one kernel per parameter reads and writes everything a step touches.

Without fusion a step of Adam is a dozen elementwise operators over every parameter. The formulas
are those of `torch.optim` (Kingma and Ba 2015; Loshchilov and Hutter 2019; Sutskever et al. 2013).
What GradScaler hands over (a scale, and whether a gradient overflowed) is read by the kernel from
device memory, so that no step waits for the host. It refuses parameters whose state is laid out
differently, and mixed dtypes: they fall back, counted.
"""

from __future__ import annotations

from functools import cache

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.tensors import is_device
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback

_START = """
def kernel(w):
    T = {T}
    scale, found, steps = p_f4(w[2]), p_f4(w[3]), p_f4(w[4])
    if w[3] != 0 and found[0] == 1:
        return 0
"""
_GRADIENT = """
        g = {load_grad}
        if w[2] != 0:
            g = g / T(scale[0])
            grad[i] = {store_g}
        if maximize:
            g = -g
"""
_ADAM = (
    _START
    + """
    p, grad, m, v, x = p_{P}(w[5]), p_{P}(w[6]), p_{P}(w[7]), p_{P}(w[8]), p_{P}(w[9])
    amsgrad, maximize, decoupled = w[10] != 0, w[11] != 0, w[12] != 0
    lr, beta1, beta2 = f8_of_bits(w[13]), f8_of_bits(w[14]), f8_of_bits(w[15])
    decay, eps = f8_of_bits(w[16]), T(f8_of_bits(w[17]))
    step = T(lr / (1.0 - beta1 ** steps[0]))
    root = T(math.sqrt(1.0 - beta2 ** steps[0]))
    one, two, shrink, pull = T(beta1), T(beta2), T(1.0 - lr * decay), T(decay)
    rest1, rest2 = T(1.0 - beta1), T(1.0 - beta2)
    for i in range(w[0], w[1]):
        value = {load_p}
"""
    + _GRADIENT
    + """
        if decoupled:
            value = value * shrink
        else:
            g = g + value * pull
        mean = {load_m} * one + g * rest1
        square = {load_v} * two + g * g * rest2
        m[i] = {store_mean}
        v[i] = {store_square}
        if amsgrad:
            square = max(square, {load_x})
            x[i] = {store_square}
        value = value - step * mean / (np.sqrt(square) / root + eps)
        p[i] = {store_value}
    return 0
"""
)
_SGD = (
    _START
    + """
    p, grad, m = p_{P}(w[5]), p_{P}(w[6]), p_{P}(w[7])
    first, nesterov, maximize = w[8] != 0, w[9] != 0, w[10] != 0
    lr, momentum = T(f8_of_bits(w[11])), T(f8_of_bits(w[12]))
    decay, rest = T(f8_of_bits(w[13])), T(1.0 - f8_of_bits(w[14]))
    for i in range(w[0], w[1]):
        value = {load_p}
"""
    + _GRADIENT
    + """
        g = g + value * decay
        if w[7] != 0:
            mean = g if first else {load_m} * momentum + g * rest
            m[i] = {store_mean}
            g = g + mean * momentum if nesterov else mean
        value = value - lr * g
        p[i] = {store_value}
    return 0
"""
)


@cache
def _kernel(name: str, dtype: torch.dtype) -> Kernel:
    kind = types.KINDS[dtype]
    texts = {f"load_{n}": types.load(dtype, f"{n}[i]", kind.compute) for n in ("p", "m", "v", "x")}
    stored = ("g", "mean", "square", "value")
    text = {"adam": _ADAM, "sgd": _SGD}[name].format(
        T=kind.compute, P=kind.pointer, load_grad=types.load(dtype, "grad[i]", kind.compute),
        **texts, **{f"store_{n}": types.store(dtype, n, kind.compute) for n in stored},
    )  # fmt: skip
    return compile_kernel(f"fused_{name}", text)


def _address(tensor: torch.Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr() + DELTA


def _float(value: float) -> int:
    return elementwise.number_words(float(value))[1][0]


def _number(value) -> float:
    """Return a learning rate, which may be a tensor of one element."""
    return value.item() if isinstance(value, torch.Tensor) else value


def _alike(parameter: torch.Tensor, *others: torch.Tensor) -> bool:
    """Whether tensors can be walked as one line of memory, element by element together."""
    dense = torch.ops.aten.is_non_overlapping_and_dense
    return dense(parameter) and all(
        t.dtype == parameter.dtype and t.stride() == parameter.stride()
        and t.shape == parameter.shape and t.device == parameter.device
        for t in others
    )  # fmt: skip


def _fits(lists, *singles) -> bool:
    """Whether a step can be taken here: floats laid out alike, scale and overflow on the device."""
    parameters, *others = lists
    if any(t is not None and not is_device(t) for t in singles):
        return False
    return all(
        p.dtype in types.KINDS and p.is_floating_point() and _alike(p, *(o[i] for o in others if o))
        for i, p in enumerate(parameters)
    )


def _adam(name: str, decoupled: bool):
    op = overload(name)

    def kernel(
        self, grads, means, squares, largest, steps, *, lr, beta1, beta2, weight_decay, eps,
        amsgrad, maximize, grad_scale=None, found_inf=None,
    ):  # fmt: skip
        lists = (self, grads, means, squares, largest if amsgrad else [])
        numbers = (lr, beta1, beta2, weight_decay, eps)
        if not _fits(lists, grad_scale, found_inf) or not all(map(is_device, steps)):
            return fallback(
                op, self, grads, means, squares, largest, steps, lr=lr, beta1=beta1, beta2=beta2,
                weight_decay=weight_decay, eps=eps, amsgrad=amsgrad, maximize=maximize,
                grad_scale=grad_scale, found_inf=found_inf,
            )  # fmt: skip
        flags = (int(amsgrad), int(maximize), int(decoupled))
        for i, parameter in enumerate(self):
            state = [parameter, grads[i], means[i], squares[i], largest[i] if amsgrad else None]
            words = (
                _address(grad_scale), _address(found_inf), _address(steps[i]),
                *map(_address, state), *flags, *(_float(_number(n)) for n in numbers),
            )  # fmt: skip
            launch(_kernel("adam", parameter.dtype), parameter.numel(), words)
        traffic.NATIVE[name] += 1
        return None

    return kernel


def _sgd(name: str):
    op = overload(name)

    def kernel(
        self, grads, momenta, *, weight_decay, momentum, lr, dampening, nesterov, maximize,
        is_first_step, grad_scale=None, found_inf=None,
    ):  # fmt: skip
        kept = momenta if momentum else []
        if not _fits((self, grads, kept), grad_scale, found_inf):
            return fallback(
                op, self, grads, momenta, weight_decay=weight_decay, momentum=momentum, lr=lr,
                dampening=dampening, nesterov=nesterov, maximize=maximize,
                is_first_step=is_first_step, grad_scale=grad_scale, found_inf=found_inf,
            )  # fmt: skip
        numbers = (_number(lr), momentum, weight_decay, dampening)
        for i, parameter in enumerate(self):
            words = (
                _address(grad_scale), _address(found_inf), 0,
                *map(_address, (parameter, grads[i], kept[i] if kept else None)),
                int(is_first_step), int(nesterov), int(maximize), *map(_float, numbers),
            )  # fmt: skip
            launch(_kernel("sgd", parameter.dtype), parameter.numel(), words)
        traffic.NATIVE[name] += 1
        return None

    return kernel


KERNELS = {
    "_fused_adam_": _adam("_fused_adam_", False),
    "_fused_adam_.tensor_lr": _adam("_fused_adam_.tensor_lr", False),
    "_fused_adamw_": _adam("_fused_adamw_", True),
    "_fused_adamw_.tensor_lr": _adam("_fused_adamw_.tensor_lr", True),
    "_fused_sgd_": _sgd("_fused_sgd_"),
    "_fused_sgd_.tensor_lr": _sgd("_fused_sgd_.tensor_lr"),
}
