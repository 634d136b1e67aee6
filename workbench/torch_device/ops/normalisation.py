"""Group and batch normalisation, forward: statistics, then one fused elementwise pass.

Statistics are float32 also for 16-bit types, and the result is rounded once, as PyTorch's CPU
kernels do; batch normalisation rounds its statistics first, as they do, too. It refuses integers
and complex numbers: they fall back, counted.
"""

from __future__ import annotations

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise as engine
from workbench.torch_device.core import tensors
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops.reductions import reduce

_WIDE = {
    torch.float32: torch.float32, torch.float64: torch.float64,
    torch.float16: torch.float32, torch.bfloat16: torch.float32,
}  # fmt: skip
"""Dtype -> what statistics are computed in."""
_TEXT = "(self - mean) * rstd"


def _statistics(data: torch.Tensor, dims: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return variance (of the population) and mean over `dims`, which are kept."""
    wide = _WIDE[data.dtype]
    shape = [1 if d in dims else n for d, n in enumerate(data.shape)]
    made = reduce("var", data, dims, [wide, wide], shape, {"f_correction": 0.0})
    assert made is not None  # `_WIDE` has floats only
    return made[0], made[1]


def _apply(name, data, mean, rstd, weight, bias) -> torch.Tensor:
    """Return ``(data - mean) * rstd * weight + bias``, rounded once."""
    out = tensors.empty(data.shape, data.dtype, data.device.index)
    operands, text = {"self": data, "mean": mean, "rstd": rstd}, _TEXT
    if weight is not None:
        operands["weight"], text = weight, text + " * weight"
    if bias is not None:
        operands["bias"], text = bias, text + " + bias"
    compute = "f8" if data.dtype is torch.float64 else "f4"
    engine.run("normalise", text, compute, out, operands)
    traffic.NATIVE[name] += 1
    return out


def _fits(name: str, data: torch.Tensor, *others) -> bool:
    check_devices(f"aten::{name}", (data, *others), {})
    return data.dtype in _WIDE and data.numel() > 0


def native_group_norm(data, weight, bias, batch, channels, positions, groups, eps):
    """Normalise over groups of channels; return result, means and reciprocal deviations."""
    given = [t for t in (weight, bias) if t is not None]
    if not _fits("native_group_norm", data, *given) or channels % groups:
        return fallback(
            overload("native_group_norm"), data, weight, bias, batch, channels, positions, groups,
            eps,
        )  # fmt: skip
    shape = (batch, groups, channels // groups, positions)
    split = data.reshape(shape)
    variance, mean = _statistics(split, [2, 3])
    rstd = variance.add_(eps).rsqrt_()
    weight, bias = (None if t is None else t.reshape(1, *shape[1:3], 1) for t in (weight, bias))
    out = _apply("native_group_norm", split, mean, rstd, weight, bias).view(data.shape)
    kind = _parameters_dtype(data, *given)
    return out, mean.to(kind).view(batch, groups), rstd.to(kind).view(batch, groups)


def _parameters_dtype(data, *given) -> torch.dtype:
    """Return the dtype of saved statistics: that of the parameters, where they are wider."""
    return given[0].dtype if given else data.dtype


def batch_norm(name, data, weight, bias, running_mean, running_var, training, momentum, eps):
    """Normalise every channel over all else; return result, means and reciprocal deviations."""
    given = [t for t in (weight, bias, running_mean, running_var) if t is not None]
    if not _fits(name, data, *given) or data.dim() < 2:
        return None
    dims = [d for d in range(data.dim()) if d != 1]
    kind = _parameters_dtype(data, *given)
    spread = [1, data.shape[1]] + [1] * (data.dim() - 2)
    if training:
        variance, mean = _statistics(data, dims)
        _follow(running_mean, mean, momentum)
        count = data.numel() // data.shape[1]
        _follow(running_var, variance * (count / max(count - 1, 1)), momentum)
        rstd = variance.add_(eps).rsqrt_().to(kind)
        mean = mean.to(kind)
        saved = (mean.reshape(-1), rstd.reshape(-1))
    else:
        mean = running_mean.view(spread)
        rstd = running_var.to(_WIDE[running_var.dtype]).add(eps).rsqrt_().view(spread)
        saved = (data.new_empty(0, dtype=kind), data.new_empty(0, dtype=kind))
    weight, bias = (None if t is None else t.view(spread) for t in (weight, bias))
    return _apply(name, data, mean, rstd, weight, bias), *saved


def _follow(running: torch.Tensor | None, fresh: torch.Tensor, momentum: float) -> None:
    """Move a running statistic towards a fresh one."""
    if running is not None:
        running.mul_(1 - momentum).add_(fresh.reshape(-1), alpha=momentum)


def _batch_norm_op(name: str, arrange):
    """Return an operator's kernel; `arrange` brings its arguments into `batch_norm`'s order."""
    op = overload(name)

    def kernel(*args):
        made = batch_norm(name, *arrange(*args))
        return made if made is not None else fallback(op, *args)

    return kernel


def _with_update(data, weight, bias, mean, variance, momentum, eps):
    return data, weight, bias, mean, variance, True, momentum, eps


def _no_stats(data, weight, bias, training, momentum, eps):
    return data, weight, bias, None, None, training, momentum, eps


def _batch_norm_with_update(*args):
    made = _plain_update(*args)
    reserve = torch.empty(0, dtype=torch.uint8, device=args[0].device)
    return made if len(made) == 4 else (*made, reserve)


_plain_update = _batch_norm_op("_batch_norm_with_update", _with_update)

KERNELS = {
    "native_group_norm": native_group_norm,
    "native_batch_norm": _batch_norm_op("native_batch_norm", lambda *args: args),
    "_native_batch_norm_legit": _batch_norm_op("_native_batch_norm_legit", lambda *args: args),
    "_native_batch_norm_legit.no_stats": _batch_norm_op(
        "_native_batch_norm_legit.no_stats", _no_stats
    ),
    "_batch_norm_with_update": _batch_norm_with_update,
}
