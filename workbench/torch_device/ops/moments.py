"""Variances and norms: reductions with a number of their own, or with two results.

It refuses complex numbers: they fall back, counted.
"""

from __future__ import annotations

import math

import torch

from workbench.torch_device.codegen import rows
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out
from workbench.torch_device.ops.reductions import _to, reduce, reduced_shape


def _moments(self, dim, correction, keepdim, wide: bool = False):
    dims = rows.dims_of(self, dim)
    number = {"f_correction": float(1 if correction is None else correction)}
    shape = reduced_shape(self.shape, dims, keepdim)
    dtype = torch.float32 if wide and self.dtype.itemsize == 2 else self.dtype
    return reduce("var", self, dims, [dtype, dtype], shape, number)


def _variance(op_name: str, root: bool, both: bool):
    op = overload(op_name)

    def kernel(self, dim=None, *, correction=None, keepdim=False, out=None):
        made = _moments(self, dim, correction, keepdim, wide=root)
        if made is None:
            extra = {"out": out} if out is not None else {}
            return fallback(op, self, dim, correction=correction, keepdim=keepdim, **extra)
        spread = made[0].sqrt_().to(self.dtype) if root else made[0]  # rounded once
        if out is not None:
            check_out(op, out, spread.shape, spread.dtype)
            return rows.deliver(spread, out)
        return (spread, made[1].to(self.dtype)) if both else spread

    return kernel


_NORMS = {1.0: "norm1", 2.0: "norm2", 0.0: "norm0", math.inf: "norminf", -math.inf: "normneginf"}


def vector_norm(self, ord=2, dim=None, keepdim=False, *, dtype=None, out):
    """Compute ``linalg.vector_norm``."""
    dims = rows.dims_of(self, dim)
    name = _NORMS.get(float(ord), "normp")
    shape = reduced_shape(self.shape, dims, keepdim)
    data = None if self.is_complex() else _to(self, dtype or self.dtype)
    made = None
    if data is not None and self.numel():
        numbers = {"f_ord": float(ord)} if name == "normp" else None
        made = reduce(name, data, dims, [out.dtype], shape, numbers)
    if made is None:
        op = overload("linalg_vector_norm.out")
        return fallback(op, self, ord, dim, keepdim, dtype=dtype, out=out)
    check_out(None, out, torch.Size(shape), None)
    return rows.deliver(made[0], out)


KERNELS = {
    "var.correction": _variance("var.correction", False, False),
    "var.correction_out": _variance("var.correction_out", False, False),
    "std.correction": _variance("std.correction", True, False),
    "std.correction_out": _variance("std.correction_out", True, False),
    "var_mean.correction": _variance("var_mean.correction", False, True),
    "std_mean.correction": _variance("std_mean.correction", True, True),
    "linalg_vector_norm.out": vector_norm,
}
