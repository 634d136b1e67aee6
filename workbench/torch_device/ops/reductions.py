"""Reductions and scans: a row's text each, and the dimensions' bookkeeping once.

Sums are accumulated in blocks of 1,024 in the elements' own type and then in float64, so that they
are fast and lose little. It refuses complex numbers: they fall back, counted.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportCallIssue=false

from __future__ import annotations

from math import prod

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import columns, rows, types
from workbench.torch_device.core import tensors
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out
from workbench.torch_device.ops.reduction_rows import BODIES, FOLDS, TWO_STAGE

_PIECES, _LONG = 64, 1 << 17
_NARROW = 8  # columns: below it, rows are longer than a vector and do better


def text(name: str, dtype: torch.dtype) -> tuple[str, str] | None:
    """Return a row's text and computing type for a dtype, or None where the table has none."""
    if not types.supported(dtype):
        return None
    compute = types.KINDS[dtype].compute
    body = BODIES[name].get(compute) or BODIES[name].get(compute[0])
    if body is None:
        return None
    accumulator = "f8" if compute[0] == "f" else "i8"
    return types.rounded(body, dtype).replace("A(", accumulator + "("), compute


def reduced_shape(shape, dims: list[int], keepdim: bool) -> list[int]:
    """Return the shape after a reduction."""
    if keepdim:
        return [1 if d in dims else n for d, n in enumerate(shape)]
    return [n for d, n in enumerate(shape) if d not in dims]


def reduce(name, self, dims, out_dtypes, shape, numbers=None) -> list[torch.Tensor] | None:
    """Reduce `self` over `dims` into new tensors of a shape, or return None where no row fits."""
    found = text(name, self.dtype)
    if found is None:
        return None
    made = [tensors.empty(shape, dtype, self.device.index) for dtype in out_dtypes]
    count = prod(shape)
    if _by_columns(name, found[1], self, dims, made):
        traffic.NATIVE[name] += 1
        return made
    data, n = rows.last(self, dims)
    if name == "mean":
        numbers = {"f_count": float(n)}
    if count == 1 and n >= _LONG and name in TWO_STAGE:
        data = _in_pieces(TWO_STAGE[name][0], data.reshape(-1), made[0].dtype)
        n, found = len(data), text(TWO_STAGE[name][1], data.dtype)
    rows.run(name, *found, [data], made, (n, 1), numbers, count=count)
    traffic.NATIVE[name] += 1
    return made


def _by_columns(name: str, compute: str, self, dims: list[int], made: list) -> bool:
    """Reduce over neighbouring dimensions before the last without transposing, where possible."""
    folds = FOLDS.get(name, {})
    fold = folds.get(compute) or folds.get(compute[0])
    inner = prod(self.shape[d] for d in range(max(dims, default=0) + 1, self.dim()))
    neighbours = dims == list(range(dims[0], dims[-1] + 1)) if dims else False
    if fold is None or inner < _NARROW or not neighbours or not self.is_contiguous():
        return False
    if not self.numel():
        return False
    outer = prod(self.shape[: dims[0]])
    sums = name in ("sum", "nansum", "mean", "prod", "norm1", "norm2")
    accumulator = "f8" if compute[0] == "f" and sums else "i8" if compute[0] == "i" else compute
    shape = (outer, self.numel() // (outer * inner), inner)
    fold = (fold[0], types.rounded(fold[1], self.dtype), fold[2])
    columns.run(name, fold, (compute, accumulator), self, made[0], shape)
    return True


def _in_pieces(name: str, data: torch.Tensor, out_dtype: torch.dtype) -> torch.Tensor:
    """Reduce a long row to a short one, the pieces shared out between the cores."""
    wide = torch.float64 if data.dtype is torch.float64 else out_dtype
    if name in ("sum", "nansum") and wide in (torch.float16, torch.bfloat16):
        wide = torch.float32  # a mean's sum may be more than these hold
    piece, rest = divmod(len(data), _PIECES)
    found = text(name, data.dtype)
    made = tensors.empty([_PIECES + (rest > 0)], wide, data.device.index)
    cut = len(data) - rest
    rows.run(name, *found, [data[:cut]], [made[:_PIECES]], (piece, 1))
    if rest:
        rows.run(name, *found, [data[cut:]], [made[_PIECES:]], (rest, 1))
    return made


def reduction(name: str, dims_at: str | None, how: str = "same"):
    """Return the ``.out`` kernel of a reduction.

    Parameters
    ----------
    name : str
        Key of `BODIES`.
    dims_at : str or None
        The operator's argument with the dimensions; None reduces all.
    how : str
        What the result's dtype must be for `out`: ``"same"``, ``"bool"`` or ``"index"``.
    """

    def bind(op_name):
        op = overload(op_name)
        names = [a.name for a in op._schema.arguments]
        defaults = {a.name: a.default_value for a in op._schema.arguments}
        outs = [a.name for a in op._schema.arguments if a.is_out]

        def kernel(*args, **kwargs):
            given = dict(zip(names, args, strict=False)) | kwargs
            self, out = given["self"], [given[o] for o in outs]
            dims = rows.dims_of(self, given.get(dims_at, defaults.get(dims_at)))
            keepdim = given.get("keepdim", False)
            dtype = given.get("dtype")
            data = _to(self, dtype) if dtype is not None else self
            if data is None or not types.supported(out[0].dtype):
                return fallback(op, *args, **kwargs)
            shape = reduced_shape(self.shape, dims, keepdim)
            if name in ("amax", "amin") and out[0].dtype != self.dtype:
                raise RuntimeError(
                    "Expected the dtype for input and out to match, but got "
                    f"{self.dtype} for input's dtype and {out[0].dtype} for out's dtype."
                )
            for o in out:
                check_out(op, o, torch.Size(shape), None)
            made = reduce(name, data, dims, [o.dtype for o in out], shape)
            if made is None:
                return fallback(op, *args, **kwargs)
            for one, o in zip(made, out, strict=True):
                rows.deliver(one, o)
            return out[0] if len(out) == 1 else tuple(out)

        return kernel

    return bind


def _to(self: torch.Tensor, dtype: torch.dtype) -> torch.Tensor | None:
    if self.dtype == dtype:
        return self
    if not types.supported(self.dtype, dtype) or self.is_complex() != dtype.is_complex:
        return None
    made = tensors.empty(self.shape, dtype, self.device.index)
    rows.copy(self, made)
    return made


_OUT = {
    "sum.IntList_out": reduction("sum", "dim"),
    "nansum.out": reduction("nansum", "dim"),
    "mean.out": reduction("mean", "dim"),
    "prod.int_out": reduction("prod", "dim"),
    "amax.out": reduction("amax", "dim"),
    "amin.out": reduction("amin", "dim"),
    "any.out": reduction("any", "dim"),
    "any.all_out": reduction("any", None),
    "all.out": reduction("all", "dim"),
    "all.all_out": reduction("all", None),
    "argmax.out": reduction("argmax", "dim"),
    "argmin.out": reduction("argmin", "dim"),
    "max.dim_max": reduction("max", "dim"),
    "min.dim_min": reduction("min", "dim"),
    "max.unary_out": reduction("amax", None),
    "min.unary_out": reduction("amin", None),
}
KERNELS = {name: bind(name) for name, bind in _OUT.items()}


def _whole(name: str, op_name: str):
    op = overload(op_name)

    def kernel(self, *args, dtype=None, **kwargs):
        want = dtype or self.dtype
        if name in ("sum", "nansum", "prod") and dtype is None and not self.is_floating_point():
            want = torch.int64
        if name in ("amax", "amin") and not self.numel():
            raise RuntimeError(
                f"{op_name}(): Expected reduction dim to be specified for input.numel() == 0. "
                "Specify the reduction dim with the 'dim' argument."
            )
        data = _to(self, want) if name == "prod" and types.supported(want) else self
        made = None if data is None else reduce(name, data, list(range(self.dim())), [want], [])
        return made[0] if made else fallback(op, self, *args, dtype=dtype, **kwargs)

    def plain(self):
        return kernel(self) if types.supported(self.dtype) else fallback(op, self)

    return plain if op_name in ("max", "min") else kernel


def nansum(self, dim=None, keepdim=False, *, dtype=None):
    """Return the sum of what is a number."""
    whole = not (self.is_floating_point() or self.is_complex())
    kind = dtype or (torch.int64 if whole else self.dtype)
    shape = reduced_shape(self.shape, rows.dims_of(self, dim), keepdim)
    out = tensors.empty(shape, kind, self.device.index)
    return KERNELS["nansum.out"](self, dim, keepdim, dtype=dtype, out=out)


KERNELS |= {
    "nansum": nansum,
    "max": _whole("amax", "max"),
    "min": _whole("amin", "min"),
    "prod": _whole("prod", "prod"),
}


def _scan(name: str, op_name: str):
    op = overload(op_name)

    def kernel(self, dim, *, dtype=None, out):
        found = text(name, out.dtype)
        data = _to(self, out.dtype) if found else None
        if data is None:
            return fallback(
                op, self, dim, **({"dtype": dtype} if name != "logcumsumexp" else {}), out=out
            )
        check_out(op, out, self.shape, None)
        return _along(name, found, data, dim, [out])[0]

    return kernel


def _along(name, found, data, dim, outs):
    """Run a scan along one dimension into `outs`."""
    dims = rows.dims_of(data, dim)
    if not data.numel():
        return outs
    moved, n = rows.last(data, dims)
    made = [tensors.empty(moved.shape, o.dtype, o.device.index) for o in outs]
    rows.run(name, *found, [moved], made, (n, n))
    traffic.NATIVE[name] += 1
    for one, out in zip(made, outs, strict=True):
        back = one.movedim(-1, dims[0]) if data.dim() else one
        rows.copy(back, out)
    return outs


def _best_so_far(name: str):
    op = overload(f"_{name}_helper")

    def kernel(self, values, indices, dim):
        found = text(name, self.dtype)
        if found is None:
            return fallback(op, self, values, indices, dim)
        _along(name, found, self, dim, [values, indices])
        return None

    return kernel


def _logcumsumexp(self, dim):
    out = tensors.empty(self.shape, self.dtype, self.device.index)
    found = text("logcumsumexp", self.dtype)
    if found is None:
        return fallback(overload("_logcumsumexp"), self, dim)
    return _along("logcumsumexp", found, self, dim, [out])[0]


KERNELS |= {
    "cumsum.out": _scan("cumsum", "cumsum.out"),
    "cumprod.out": _scan("cumprod", "cumprod.out"),
    "_logcumsumexp.out": _scan("logcumsumexp", "_logcumsumexp.out"),
    "_logcumsumexp": _logcumsumexp,
    "_cummax_helper": _best_so_far("cummax"),
    "_cummin_helper": _best_so_far("cummin"),
}
