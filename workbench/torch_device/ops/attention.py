"""Attention in one operator, where the vendor library has it: what FlashAttention is for CUDA.

PyTorch writes attention as products and a softmax unless a device says that it can do better. The
saying is done here, above autograd: calls that the CPU's fused kernel takes (Dao 2022,
https://arxiv.org/abs/2205.14135) become ``_scaled_dot_product_fused_attention_overrideable``,
PyTorch's seam for out-of-tree devices, which has a gradient of its own. Everything else stays the
composite, and so does everything with the vendor library switched off. It refuses dropout.
"""

# PyTorch's private parts are untyped.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import torch

from workbench.torch_device import traffic, vendor
from workbench.torch_device.core import streams, tensors
from workbench.torch_device.core.tensors import NAME, host
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, upload

_aten = torch.ops.aten
_FORWARD = "_scaled_dot_product_fused_attention_overrideable"
_BACKWARD = f"{_FORWARD}_backward"
_COMPOSITE = torch._C.DispatchKeySet(torch._C.DispatchKey.HPU)
"""An unused backend's key: under it the dispatcher finds the composite kernel."""
_DTYPES = {torch.float32, torch.float64, torch.float16, torch.bfloat16}
_PLAIN = (torch.Tensor, torch.nn.Parameter)
_composite = overload("scaled_dot_product_attention")._handle.redispatch_boxed


def _usable(query, key, value, mask, dropout, grouped) -> bool:
    """Whether the fused kernel takes a call: the conditions of PyTorch's ``sdp_utils_cpp.cpp``."""
    given = (query, key, value) if mask is None else (query, key, value, mask)
    return (
        vendor.enabled
        and dropout == 0.0
        and not grouped
        and torch.backends.cuda.flash_sdp_enabled()  # what `sdpa_kernel` switches, for all devices
        and all(type(t) in _PLAIN and t.device.type == NAME and t.dim() == 4 for t in given[:3])
        and not any(torch._C._functorch.is_functorch_wrapped_tensor(t) for t in given)
        and query.dtype in _DTYPES
        and query.dtype == key.dtype == value.dtype
        and query.device == key.device == value.device
        and query.shape[:2] == key.shape[:2] == value.shape[:2]
        and query.shape[3] == key.shape[3] == value.shape[3]
        and key.shape[2] == value.shape[2]
        and query.stride(3) == key.stride(3) == value.stride(3) == 1
        and query.numel() > 0
        and key.numel() > 0
        and (mask is None or _mask_fits(mask, query, key))
    )


def _mask_fits(mask, query, key) -> bool:
    """Whether a mask is one that the fused kernel adds: it has no gradient there."""
    full = (*query.shape[:3], key.shape[2])
    return (
        type(mask) in _PLAIN
        and mask.device == query.device
        and not mask.requires_grad
        and mask.dtype in (torch.bool, query.dtype)
        and mask.dim() in (2, 4)
        and all(n in (1, m) for n, m in zip(mask.shape, full[-mask.dim() :], strict=True))
        and mask.shape[-2:] == full[-2:]
    )


def attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None,
    enable_gqa=False,
):  # fmt: skip
    """Choose how to compute attention: registered above autograd, as PyTorch's own choice is."""
    both = is_causal and attn_mask is not None  # the composite raises PyTorch's error
    if both or not _usable(query, key, value, attn_mask, dropout_p, enable_gqa):
        return _composite(
            _COMPOSITE, query, key, value, attn_mask, dropout_p, is_causal, scale=scale,
            enable_gqa=enable_gqa,
        )  # fmt: skip
    if attn_mask is not None and attn_mask.dtype is torch.bool:
        attn_mask = query.new_zeros(attn_mask.shape).masked_fill_(~attn_mask, float("-inf"))
    fused = _aten._scaled_dot_product_fused_attention_overrideable.default
    return fused(query, key, value, attn_mask, dropout_p, is_causal, scale=scale)[0]


def _down(tensor):
    return None if tensor is None else host(tensor)


def forward(
    query, key, value, attn_bias=None, dropout_p=0.0, is_causal=False, return_debug_mask=False, *,
    scale=None,
):  # fmt: skip
    """Compute attention and the logarithms of the softmax's sums."""
    given = (query, key, value) if attn_bias is None else (query, key, value, attn_bias)
    check_devices(f"aten::{_FORWARD}", given, {})
    if dropout_p:
        raise NotImplementedError("wb: fused attention has no dropout; use the composite")
    streams.wait_for_current()
    out, sums = _aten._scaled_dot_product_flash_attention_for_cpu.default(
        host(query), host(key), host(value), 0.0, is_causal, attn_mask=_down(attn_bias),
        scale=scale,
    )  # fmt: skip
    traffic.VENDOR[_FORWARD] += 1
    index = query.device.index
    none = [tensors.empty([0], torch.int64, index) for _ in range(4)]
    up = upload(out, index), upload(sums, index)
    return (*up, *none[:2], query.shape[2], key.shape[2], *none[2:],
            tensors.empty([0], query.dtype, index))  # fmt: skip


def backward(
    grad_out, query, key, value, attn_bias, grad_input_mask, out, logsumexp, cum_seq_q, cum_seq_k,
    max_q, max_k, dropout_p, is_causal, philox_seed, philox_offset, *, scale=None,
):  # fmt: skip
    """Return the gradients of the three operands; a mask has none."""
    streams.wait_for_current()
    made = _aten._scaled_dot_product_flash_attention_for_cpu_backward.default(
        *map(host, (grad_out, query, key, value, out, logsumexp)), dropout_p, is_causal,
        attn_mask=_down(attn_bias), scale=scale,
    )  # fmt: skip
    traffic.VENDOR[_BACKWARD] += 1
    return (*(upload(t, query.device.index) for t in made), None)


KERNELS = {_FORWARD: forward, _BACKWARD: backward}
ABOVE_AUTOGRAD = {"scaled_dot_product_attention": attention}
"""Operators whose way is chosen before autograd sees them."""
