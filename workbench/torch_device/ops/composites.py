"""Operators without a kernel of their own: PyTorch's reference decompositions over our kernels.

A decomposition is a Python function that computes an operator out of simpler ones; on this device
those reach our kernels. The rule is simple: an operator that needs a device kernel, has none in the
tables, and has a decomposition may be given it. It refuses operators that have a
kernel, and those not in `INCLUDED`.
"""

from __future__ import annotations

import inspect
import math

import torch
from torch._decomp import decomposition_table

from workbench.torch_device.core.views import overload
from workbench.torch_device.ops.pointwise import check_out, check_same
from workbench.torch_device.overlap import check_no_overlap

INCLUDED = (
    # losses
    "binary_cross_entropy", "binary_cross_entropy.out", "binary_cross_entropy_backward",
    "binary_cross_entropy_backward.grad_input", "huber_loss", "huber_loss.out",
    "huber_loss_backward.out", "mse_loss_backward", "mse_loss_backward.grad_input",
    "smooth_l1_loss.out", "smooth_l1_loss_backward.grad_input", "multi_margin_loss",
    "multi_margin_loss.out", "multilabel_margin_loss_forward",
    "multilabel_margin_loss_forward.output", "nll_loss_forward.output",
    "nll_loss_backward.grad_input", "nll_loss2d_forward", "nll_loss2d_forward.output",
    "nll_loss2d_backward", "nll_loss2d_backward.grad_input", "log_sigmoid_forward",
    "log_sigmoid_forward.output", "glu.out", "glu_backward", "glu_backward.grad_input",
    # normalisation
    "native_batch_norm.out", "native_batch_norm_backward",
    "batch_norm_backward", "native_group_norm_backward",
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
    "logit.out", "logspace.out", "native_dropout", "norm.out",
    "norm.dtype_out", "take", "take.out", "trace", "tril_indices", "triu_indices",
    "nan_to_num.out",
)  # fmt: skip
"""Operators whose decomposition is used; the others are primitive, or theirs is wrong here."""


_EXACT = {"aminmax", "take"}
"""Decompositions whose outputs must have the result's dtype and lie apart from the inputs."""


def _into(function, outs: list[str]):
    """Deliver results into outputs: a decomposition may widen what it is given, outputs too."""
    given = inspect.signature(function).parameters
    exact = function.__name__ in _EXACT
    writes_itself = outs[0] in given and given[outs[0]].default is inspect.Parameter.empty

    def kernel(*args, **kwargs):
        args = list(args)  # PyTorch's generated code passes outputs by name, autograd in order
        missing = [name for name in outs if name not in kwargs]
        kwargs |= dict(zip(missing, args[len(args) - len(missing) :], strict=True))
        args = args[: len(args) - len(missing)]
        targets = [kwargs.pop(name) for name in outs]
        if writes_itself:
            return function(*args, *targets, **kwargs)
        made = function(*args, **kwargs)
        made = made if isinstance(made, (tuple, list)) else (made,)
        for one, target in zip(made, targets, strict=True):
            if exact:
                check_same(target, one.dtype)
                check_no_overlap(target, *args)
            check_out(None, target, one.shape, None)
            target.copy_(one)
        return targets[0] if len(targets) == 1 else tuple(targets)

    return kernel


_HAS = torch._C._dispatch_has_kernel_for_dispatch_key


def mse_loss(self, target, reduction=1):
    """Return squared differences, their mean (1) or their sum (2), rounded as on the CPU."""
    difference = self - target
    squares = difference * difference
    return squares.mean() if reduction == 1 else squares.sum() if reduction == 2 else squares


def linalg_cross(self, other, *, dim=-1):
    """Return the cross product along a dimension of three elements."""
    if self.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {self.shape[dim]} and "
            f"{other.shape[dim]}"
        )
    first = self.roll(-1, dim) * other.roll(-2, dim)
    return first - self.roll(-2, dim) * other.roll(-1, dim)


def mvlgamma(self, p):
    """Return the multivariate log-gamma function (DLMF 35.3.4)."""
    if not (self.is_floating_point() or self.dtype is not torch.bool):
        raise RuntimeError("mvlgamma: result cannot be cast")
    dtype = self.dtype if self.is_floating_point() else torch.get_default_dtype()
    steps = torch.arange(-p / 2 + 0.5, 0.5, 0.5, dtype=dtype, device=self.device)
    terms = (steps + self.unsqueeze(-1)).lgamma_()
    return terms.sum(-1).add_(p * (p - 1) * math.log(math.pi) / 4)


OWN = {
    "mse_loss.out": mse_loss,
    "linalg_cross.out": linalg_cross,
    "mvlgamma": mvlgamma,
    "mvlgamma.out": mvlgamma,
}
"""Composites of our own, where PyTorch's are computed wider than its CPU kernels compute."""


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
    found: dict[str, object] = {}
    for short, function in OWN.items():
        outs = [a.name for a in overload(short)._schema.arguments if a.is_out]
        found[short] = _into(function, outs) if outs else function
    for op, function in decomposition_table.items():
        if not isinstance(op, torch._ops.OpOverload) or op.namespace != "aten":
            continue
        name = op.name()
        short = name.removeprefix("aten::")
        if short not in taken and short in INCLUDED and needs_kernel(name):
            outs = [a.name for a in op._schema.arguments if a.is_out]
            found[short] = _into(function, outs) if outs else function
    return found
