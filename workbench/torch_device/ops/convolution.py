"""Convolution: PyTorch asks an out-of-tree device for two operators of its own names.

``convolution_overrideable`` and its backward stand for every convolution, transposed or not, in one
to three dimensions. It refuses nothing that the CPU accepts: it hands over to the CPU, counted.
"""

from __future__ import annotations

import torch

from workbench.torch_device.core.fallback import fallback

_aten = torch.ops.aten


def convolution(*args):
    """Compute a convolution on the CPU, counted as a fallback."""
    return fallback(_aten.convolution.default, *args)


def convolution_backward(
    grad_output, data, weight, stride, padding, dilation, transposed, output_padding, groups, mask
):
    """Compute the gradients of a convolution on the CPU, counted as a fallback."""
    bias_size = [weight.shape[1] * groups if transposed else weight.shape[0]]
    return fallback(
        _aten.convolution_backward.default, grad_output, data, weight, bias_size, stride, padding,
        dilation, transposed, output_padding, groups, mask,
    )  # fmt: skip


KERNELS = {
    "convolution_overrideable": convolution,
    "convolution_backward_overrideable": convolution_backward,
}
