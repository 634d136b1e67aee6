"""Automatic mixed precision: which operators autocast runs in the low precision, which in float32.

Two tables of operator names, the ones PyTorch documents for CUDA ("Automatic Mixed Precision
package", op-specific behaviour); everything else runs in the type it is given. It refuses to touch
float64 tensors and tensors of other devices, as CUDA's autocast does.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import torch

from workbench.torch_device.core.tensors import NAME
from workbench.torch_device.core.views import overload

LOWER = (
    "matmul", "mm", "bmm", "addmm", "addmv", "addr", "addbmm", "baddbmm", "mv", "linear",
    "chain_matmul", "linalg_multi_dot", "einsum", "prelu", "conv1d", "conv2d", "conv3d",
    "conv_transpose1d", "conv_transpose2d.input", "conv_transpose3d.input", "convolution",
    "scaled_dot_product_attention",
)  # fmt: skip
"""Operators that gain from the low precision: matrix products and convolutions."""

FLOAT32 = (
    "acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log2", "log1p",
    "reciprocal", "rsqrt", "sinh", "tan", "pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar",
    "softplus", "layer_norm", "group_norm", "nuclear_norm", "cosine_similarity",
    "poisson_nll_loss", "cosine_embedding_loss", "nll_loss", "nll_loss2d", "hinge_embedding_loss",
    "kl_div", "l1_loss", "smooth_l1_loss", "huber_loss", "mse_loss", "margin_ranking_loss",
    "multilabel_margin_loss", "soft_margin_loss", "triplet_margin_loss", "multi_margin_loss",
    "binary_cross_entropy_with_logits", "cross_entropy_loss", "dist", "pdist", "cdist", "renorm",
    "logsumexp", "softmax.int", "log_softmax.int", "cumprod", "cumsum", "sum", "sum.dim_IntList",
    "prod", "norm.Scalar",
)  # fmt: skip
"""Operators that lose too much in the low precision: sums, exponentials, losses."""

WIDEST = ("addcdiv", "addcmul", "atan2", "bilinear", "cross", "dot", "grid_sampler", "index_put",
          "scatter_add", "tensordot", "cat", "stack")  # fmt: skip
"""Operators that take several tensors and need one type: the widest among them."""

_KEY = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastPrivateUse1)


def _castable(value: Any) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and value.device.type == NAME
        and value.is_floating_point()
        and value.dtype != torch.float64
    )


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if _castable(value):
        return value.to(dtype)
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(item, dtype) for item in value)
    return value


def _leaves(values: Any):
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _leaves(value)
        elif _castable(value):
            yield value


def _rule(op: Any, choose):
    def autocast_kernel(*args, **kwargs):
        with torch._C._ExcludeDispatchKeyGuard(_KEY):
            dtype = choose(args, kwargs)
            args = [_cast(value, dtype) for value in args]
            return op(*args, **{name: _cast(value, dtype) for name, value in kwargs.items()})

    return autocast_kernel


def _low(args, kwargs):
    return torch.get_autocast_dtype(NAME)


def _wide(args, kwargs):
    return torch.float32


def _widest(args, kwargs):
    kinds = {leaf.dtype for leaf in _leaves((args, kwargs.values()))}
    return torch.float32 if len(kinds) != 1 else kinds.pop()


def register(library: torch.library.Library) -> None:
    """Register the rules of the three tables for the device's autocast key."""
    for names, choose in ((LOWER, _low), (FLOAT32, _wide), (WIDEST, _widest)):
        for name in names:
            op = overload(name)
            library.impl(op, _rule(op, choose), "AutocastPrivateUse1")
