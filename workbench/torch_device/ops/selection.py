"""Filling, choosing and joining: where, masked_fill, fill, cat, arange, triangles, casts.

Elementwise rows whose signatures are their own, and operators that are a few copies. It refuses
nothing but dtypes without kernels: those fall back, counted.
"""

from __future__ import annotations

import math

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise as engine
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.core import tensors
from workbench.torch_device.core.tensors import NAME
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops.pointwise import (
    check_out,
    common_dtype,
    like,
    result_shape,
)
from workbench.torch_device.overlap import check_no_overlap


def _scalar(value):
    """Return a CPU tensor of no dimensions as its number, anything else as it is."""
    if isinstance(value, torch.Tensor) and value.device.type != NAME and not value.dim():
        return value.item()
    return value


def _ran(name: str) -> None:
    traffic.NATIVE[name] += 1


def fill_(self, value):
    """Set every element to a number."""
    op = overload("fill_.Tensor" if isinstance(value, torch.Tensor) else "fill_.Scalar")
    if isinstance(value, torch.Tensor) and value.dim():
        raise RuntimeError(
            "fill_ only supports 0-dimension value tensor but got tensor with "
            f"{value.dim()} dimensions."
        )
    if not types.supported(self.dtype):
        return fallback(op, self, value)
    value = _scalar(value)
    compute = types.KINDS[self.dtype].compute
    if not isinstance(value, torch.Tensor) and not self.is_complex():
        _check_fits(value, self.dtype)
    engine.run("fill", "value", compute, self, {"value": value})
    _ran("fill_")
    return self


def _check_fits(value, dtype: torch.dtype) -> None:
    if isinstance(value, complex):
        raise RuntimeError(
            "value cannot be converted to type without overflow"
            if value.imag
            else "fill of a real tensor with a complex number"
        )
    if dtype.is_floating_point or dtype is torch.bool or isinstance(value, bool):
        return
    info = torch.iinfo(dtype)
    if not math.isfinite(value) or not info.min - (dtype is torch.uint8) * 255 <= value <= info.max:
        raise RuntimeError("value cannot be converted to type without overflow")


def zero_(self):
    """Set every element to zero."""
    return fill_(self, 0)


def where(condition, self, other):
    """Choose between two operands element by element."""
    operands = {"condition": condition, "self": _scalar(self), "other": _scalar(other)}
    common = common_dtype([self, other])
    check_devices("aten::where", tuple(operands.values()), {})
    if not types.supported(common) or not any(_on(v) for v in operands.values()):
        return fallback(overload("where.self"), condition, self, other)
    out = like(list(operands.values()), common)
    return _where_into(operands, out, common)


def _on(value) -> bool:
    return isinstance(value, torch.Tensor) and value.device.type == NAME


def where_out(condition, self, other, *, out):
    """Choose into an output."""
    operands = {"condition": condition, "self": _scalar(self), "other": _scalar(other)}
    common = common_dtype([self, other])
    if not types.supported(common, out.dtype):
        return fallback(overload("where.self_out"), condition, self, other, out=out)
    check_out(None, out, result_shape([condition, self, other]), common)
    return _where_into(operands, out, common)


def _where_into(operands, out, common):
    condition = operands["condition"]
    if condition.dtype not in (torch.bool, torch.uint8):
        raise RuntimeError(
            "expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{str(condition.dtype)[6:].capitalize()}"
        )
    expression = "self if condition != 0 else other"
    if not isinstance(condition, torch.Tensor) or not _on(condition):
        condition = operands["condition"] = condition.to(out.device)
    compute = types.KINDS[common].compute
    if compute[0] == "c":
        expression = "self if condition.real != 0 else other"
    engine.run("where", expression, compute, out, operands)
    _ran("where.self")
    return out


def masked_fill_(self, mask, value):
    """Set the elements under a mask to a number."""
    op = overload(
        "masked_fill_.Tensor" if isinstance(value, torch.Tensor) else "masked_fill_.Scalar"
    )
    if mask.dtype is not torch.bool:
        raise RuntimeError(
            "masked_fill_ only supports boolean masks, but got mask with dtype "
            f"{str(mask.dtype)[6:]}"
        )
    if isinstance(value, torch.Tensor) and value.dim():
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.dim()} dimension(s)."
        )
    if not types.supported(self.dtype) or self.is_complex():
        return fallback(op, self, mask, value)
    check_devices("aten::masked_fill_", (self, mask), {})
    value = _scalar(value)
    if not isinstance(value, torch.Tensor):
        _check_fits(value, self.dtype)
    elif value.is_complex() and not self.is_complex():
        raise RuntimeError(
            f"value cannot be converted to type {str(self.dtype)[6:]} without overflow"
        )
    mask = mask.expand(torch.broadcast_shapes(self.shape, mask.shape))
    compute = types.KINDS[self.dtype].compute
    operands = {"self": self, "mask": mask, "value": value}
    engine.run("masked_fill", "value if mask != 0 else self", compute, self, operands)
    _ran("masked_fill_")
    return self


def cat_out(tensors_, dim=0, *, out):
    """Join tensors along a dimension."""
    parts = [t for t in tensors_ if t.dim() != 1 or t.numel()]
    check_no_overlap(out, *tensors_)
    if not types.supported(out.dtype, *(t.dtype for t in tensors_)) or out.is_complex():
        return fallback(overload("cat.out"), tensors_, dim, out=out)
    check_devices("aten::cat", (tensors_,), {"out": out})
    if not parts:
        return out.resize_(tensors_[0].shape)
    dim = rows.dims_of(parts[0], dim)[0]
    shape = list(parts[0].shape)
    shape[dim] = sum(t.shape[dim] for t in parts)
    check_out(None, out, torch.Size(shape), None)
    start = 0
    for part in parts:
        rows.copy(part, out.narrow(dim, start, part.shape[dim]))
        start += part.shape[dim]
    _ran("cat")
    return out


_INDEX = """
def kernel(w):
    o = p_{pointer}(w[2])
    T = {compute}
    start, step, half = {load}(w[3]), {load}(w[4]), w[5]
    for i in range(w[0], w[1]):
        o[i] = {value}
    return 0
"""


def _sequence(out: torch.Tensor, start, step) -> None:
    """Write ``start + i * step``, computed in float64 or int64."""
    kind = types.KINDS[out.dtype]
    whole = kind.compute[0] == "i"
    value = types.store(out.dtype, "start + i * step", "i8" if whole else "f8")
    load = "i8" if whole else "f8_of_bits"
    body = _INDEX.format(pointer=kind.pointer, compute=kind.compute, load=load, value=value)
    from workbench.torch_device.codegen.compiler import compile_kernel
    from workbench.torch_device.codegen.launch import launch
    from workbench.torch_device.core.memory import DELTA

    kernel = _kernels.get(out.dtype) or _kernels.setdefault(
        out.dtype, compile_kernel("arange", body)
    )
    made = out if out.is_contiguous() else tensors.empty(out.shape, out.dtype, out.device.index)
    numbers = [engine.number_words(int(v) if whole else float(v))[1][0] for v in (start, step)]
    launch(kernel, out.numel(), (made.data_ptr() + DELTA, *numbers, 0))
    rows.deliver(made, out)


_kernels: dict = {}


def arange_out(start, end, step=1, *, out):
    """Write a range of numbers."""
    if step == 0 or (int(step) == 0 and not out.is_floating_point()):
        raise ValueError("step must be nonzero")
    if any(isinstance(v, float) and not math.isfinite(v) for v in (start, end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if not types.supported(out.dtype) or out.is_complex():
        return fallback(overload("arange.start_out"), start, end, step, out=out)
    if not out.is_floating_point():
        start, end, step = int(start), int(end), int(step)
    size = math.ceil((end - start) / step)
    if out.numel() != size:
        out.resize_([size])
    _sequence(out, start, step)
    _ran("arange")
    return out


def linspace_out(start, end, steps, *, out):
    """Write equally spaced numbers, both ends included."""
    if any(isinstance(v, torch.Tensor) for v in (start, end)) or not out.is_floating_point():
        return fallback(overload("linspace.out"), start, end, steps, out=out)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    if out.numel() != steps:
        out.resize_([steps])
    if steps:
        _sequence(out, start, (end - start) / (steps - 1) if steps > 1 else 0)
    _ran("linspace")
    return out


def _triangle(name: str, keep: str):
    def kernel(self, diagonal=0, *, out):
        if not types.supported(self.dtype) or self.is_complex():
            return fallback(overload(f"{name}.out"), self, diagonal, out=out)
        check_out(None, out, self.shape, self.dtype)
        device = self.device.index
        row = tensors.empty([self.shape[-2], 1], torch.int64, device)
        column = tensors.empty([self.shape[-1]], torch.int64, device)
        _sequence(row, 0, 1)
        _sequence(column, 0, 1)
        operands = {"self": self, "row": row, "column": column, "diagonal": diagonal}
        expression = f"self if i8(column) - i8(row) {keep} diagonal else T(0)"
        engine.run(name, expression, types.KINDS[self.dtype].compute, out, operands)
        _ran(name)
        return out

    return kernel


def eye_out(n, m=None, *, out):
    """Write an identity matrix."""
    m = n if m is None else m
    if n < 0 or m < 0:
        raise RuntimeError(f"n must be greater or equal to 0, got {min(n, m)}")
    if list(out.shape) != [n, m]:
        out.resize_([n, m])
    fill_(out, 0)
    if min(n, m):
        fill_(out.diagonal(), 1)
    return out


KERNELS = {
    "fill_.Scalar": fill_,
    "fill_.Tensor": fill_,
    "zero_": zero_,
    "where.self": where,
    "where.self_out": where_out,
    "masked_fill_.Scalar": masked_fill_,
    "masked_fill_.Tensor": masked_fill_,
    "cat.out": cat_out,
    "arange.start_out": arange_out,
    "linspace.out": linspace_out,
    "tril.out": _triangle("tril", "<="),
    "triu.out": _triangle("triu", ">="),
    "eye.out": eye_out,
    "eye.m_out": eye_out,
}
