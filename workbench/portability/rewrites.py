"""Constructs that stop PyTorch's capture, said in a way that it can capture.

Some things fail before there is any ONNX: `torch.export` cannot follow a write at a position that
is data, and has no shape rule for a few functions. While a module is captured, `Rewrites`
intercepts those calls and says the same with functions that can be captured. Each row of the
table is the same mathematics, tested against PyTorch. It refuses to touch the learner's module.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class Rewrites(TorchFunctionMode):
    """While active, replaces the calls in `REWRITES`; `used` lists those that were."""

    def __init__(self):
        super().__init__()
        self.used: list[str] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Dispatch one call, through a rewrite where there is one that applies."""
        rewrite = REWRITES.get(function)
        if rewrite is not None:
            result = rewrite(*args, **(kwargs or {}))
            if result is not NotImplemented:
                self.used.append(getattr(function, "__name__", str(function)))
                return result
        return function(*args, **(kwargs or {}))


def least_squares(a, b, rcond=None, *, driver=None):
    """``torch.linalg.lstsq`` for full rank, by the normal equations of the smaller side.

    Golub and Van Loan, "Matrix Computations", 4th ed., 5.3.1 and 5.6.2 (least norm). The squared
    condition number is the price: keep `a` well conditioned.
    """
    at = a.mT
    tall = a.shape[-2] >= a.shape[-1]
    solution = (
        torch.linalg.solve_ex(at @ a, at @ b)[0]
        if tall
        else at @ torch.linalg.solve_ex(a @ at, b)[0]
    )
    empty = a.new_zeros(0)
    return torch.return_types.linalg_lstsq(  # pyright: ignore[reportAttributeAccessIssue]
        (solution, empty, empty.long(), empty)
    )


def write_at_data(target: torch.Tensor, index: Any, value: Any):
    """``target[..., p] = value`` with p a 0-d integer tensor, as an indexed write of one row."""
    places = index if isinstance(index, tuple) else (index,)
    axes = [i for i, place in enumerate(places) if _is_data_position(place)]
    plain = all(_is_data_position(p) or p == slice(None) for p in places)
    if len(axes) != 1 or not plain or not isinstance(value, torch.Tensor):
        return NotImplemented
    axis = axes[0]
    shape = list(target.shape)
    shape[axis] = 1
    missing = target.dim() - 1 - value.dim()
    row = value.reshape([1] * missing + list(value.shape)).unsqueeze(axis).expand(shape)
    target.index_copy_(axis, places[axis].reshape(1), row.to(target.dtype))
    return None


def _is_data_position(place: Any) -> bool:
    return isinstance(place, torch.Tensor) and place.dim() == 0 and place.dtype == torch.int64


def dense_flex_attention(query, key, value, score_mod, block_mask, scale, *_, **__):
    """``softmax(mask(score_mod(q k^T * scale))) v`` with every score computed.

    The definition in PyTorch's flex_attention documentation; the block sparsity that makes it fast
    on a GPU has no ONNX. The two functions are given index tensors that broadcast, so they must
    be elementwise, as that documentation asks.
    """
    if query.shape[1] != key.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = (t.repeat_interleave(groups, 1) for t in (key, value))
    scores = query @ key.transpose(-2, -1) * scale
    places = [
        torch.arange(size, device=query.device).reshape([-1 if i == axis else 1 for i in range(4)])
        for axis, size in enumerate(scores.shape)
    ]
    scores = score_mod(scores, *places)
    allowed = block_mask[-1](*places)
    scores = torch.where(allowed, scores, torch.full_like(scores, -torch.inf))
    largest = torch.logsumexp(scores, -1)
    return torch.softmax(scores, -1) @ value, largest, largest


# torch.linalg.inv and its kin carry an error check as a side effect, which ONNX cannot have; the
# variants that return the error code instead leave it out.
REWRITES = {
    torch.linalg.lstsq: least_squares,
    torch.linalg.inv: lambda a: torch.linalg.inv_ex(a)[0],
    torch.inverse: lambda a: torch.linalg.inv_ex(a)[0],
    torch.linalg.solve: lambda a, b: torch.linalg.solve_ex(a, b)[0],
    torch.linalg.cholesky: lambda a: torch.linalg.cholesky_ex(a)[0],
    torch.Tensor.__setitem__: write_at_data,
    torch.ops.higher_order.flex_attention: dense_flex_attention,
}
