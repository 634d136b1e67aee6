"""Operators without a kernel of their own: PyTorch's reference decompositions over our kernels.

A decomposition is a Python function that computes an operator out of simpler ones; on this device
those reach our kernels. The rule is simple: an operator that needs a device kernel, has none in the
tables, and has a decomposition may be given it. It refuses operators that have a
kernel, and those not in `INCLUDED`.
"""

from __future__ import annotations

import torch
from torch._decomp import decomposition_table

INCLUDED = (
    # losses
    "binary_cross_entropy", "binary_cross_entropy.out", "binary_cross_entropy_backward",
    "binary_cross_entropy_backward.grad_input", "huber_loss", "huber_loss.out",
    "huber_loss_backward.out", "mse_loss.out", "mse_loss_backward", "mse_loss_backward.grad_input",
    "smooth_l1_loss.out", "smooth_l1_loss_backward.grad_input", "multi_margin_loss",
    "multi_margin_loss.out", "multilabel_margin_loss_forward",
    "multilabel_margin_loss_forward.output", "nll_loss_forward.output",
    "nll_loss_backward.grad_input", "nll_loss2d_forward", "nll_loss2d_forward.output",
    "nll_loss2d_backward", "nll_loss2d_backward.grad_input", "log_sigmoid_forward",
    "log_sigmoid_forward.output", "glu.out", "glu_backward", "glu_backward.grad_input",
    # normalisation
    "native_batch_norm", "native_batch_norm.out", "_native_batch_norm_legit",
    "_native_batch_norm_legit.no_stats", "_batch_norm_with_update", "native_batch_norm_backward",
    "batch_norm_backward", "native_layer_norm_backward", "native_group_norm_backward",
    "_weight_norm_interface", "renorm.out",
    # pictures
    "im2col", "im2col.out", "col2im", "col2im.out", "reflection_pad1d.out", "reflection_pad2d",
    "reflection_pad2d.out", "reflection_pad3d.out", "replication_pad1d.out",
    "replication_pad2d.out", "replication_pad3d.out", "upsample_nearest1d.out",
    "upsample_nearest2d.out", "upsample_nearest3d.out", "_upsample_nearest_exact1d.out",
    "_upsample_nearest_exact2d.out", "_upsample_nearest_exact3d.out", "upsample_linear1d.out",
    "upsample_bilinear2d.out", "upsample_trilinear3d.out", "upsample_bicubic2d.out",
    "grid_sampler_2d", "max_unpool2d", "max_unpool2d.out", "max_unpool3d", "max_unpool3d.out",
    "channel_shuffle", "upsample_nearest2d_backward.grad_input",
    "reflection_pad1d_backward.grad_input",
    "reflection_pad2d_backward", "reflection_pad3d_backward.grad_input",
    "unfold_backward",
    # the rest
    "_prelu_kernel_backward", "aminmax.out", "count_nonzero.dim_IntList",
    "embedding_dense_backward",
    "isin.Tensor_Tensor_out", "isin.Scalar_Tensor_out", "isin.Tensor_Scalar_out",
    "linalg_cross.out",
    "logit.out", "logspace.out", "native_dropout", "nansum", "norm.out",
    "norm.dtype_out", "take", "take.out", "trace", "tril_indices", "triu_indices", "mvlgamma.out",
    "nan_to_num.out", "clamp.Tensor_out", "clamp.out",
)  # fmt: skip
"""Operators whose decomposition is used; the others are primitive, or theirs is wrong here."""

_INFERENCE_EMPTY = ("native_batch_norm", "_native_batch_norm_legit")
"""Operators that return empty statistics in inference on the CPU; the decomposition does not."""


def _as_on_cpu(function):
    def kernel(data, weight, bias, mean, variance, training, momentum, eps):
        out, *statistics = function(data, weight, bias, mean, variance, training, momentum, eps)
        return (out, *(s if training else s.new_empty((0,)) for s in statistics))

    return kernel


def _into(function, outs: list[str]):
    """Deliver results into outputs: a decomposition may widen what it is given, outputs too."""

    def kernel(*args, **kwargs):
        targets = [kwargs.pop(name) for name in outs]
        made = function(*args, **kwargs)
        made = made if isinstance(made, (tuple, list)) else (made,)
        for one, target in zip(made, targets, strict=True):
            if target.shape != one.shape:
                target.resize_(one.shape)
            target.copy_(one)
        return targets[0] if len(targets) == 1 else tuple(targets)

    return kernel


_HAS = torch._C._dispatch_has_kernel_for_dispatch_key


def needs_kernel(name: str) -> bool:
    """Return whether PyTorch has a CPU kernel for an operator and nothing a device could reuse."""
    return _HAS(name, "CPU") and not any(
        _HAS(name, f"Composite{kind}")
        for kind in (
            "ImplicitAutograd",
            "ExplicitAutograd",
            "ExplicitAutogradNonFunctional",
        )
    )


def decompositions(taken: set[str]) -> dict[str, object]:
    """Return operator name -> decomposition, for those that need one and are not `taken`."""
    found = {}
    for op, function in decomposition_table.items():
        if not isinstance(op, torch._ops.OpOverload) or op.namespace != "aten":
            continue
        name = op.name()
        short = name.removeprefix("aten::")
        if short not in taken and short in INCLUDED and needs_kernel(name):
            function = _as_on_cpu(function) if short in _INFERENCE_EMPTY else function
            outs = [a.name for a in op._schema.arguments if a.is_out]
            found[short] = _into(function, outs) if outs else function
    return found
