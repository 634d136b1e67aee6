"""Sorting and order statistics: sort, topk, kthvalue, median, mode, unique, equal.

One row kernel sorts positions, NaN last; the others read its result. It refuses complex
numbers: they fall back, counted.
"""

from __future__ import annotations

from math import prod

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.core import tensors
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import fallback
from workbench.torch_device.ops.pointwise import check_out
from workbench.torch_device.overlap import check_no_overlap

_SORT = """
buffer = np.empty(n, T)
for i in range(n):
    buffer[i] = X[{read}]
order = stable_order(buffer)
for i in range(m):
    k = order[{pick}]
    O[i] = buffer[k]
    P[i] = {place}
"""
_UP = _SORT.format(read="i", pick="i", place="k")
_DOWN = _SORT.format(read="n - 1 - i", pick="n - 1 - i", place="n - 1 - k")
_SWAPPED = """
buffer = np.empty(n, T)
for i in range(n):
    buffer[i] = X[i]
order = swapping_order(buffer, m_descending != 0)
for i in range(m):
    O[i] = buffer[order[i]]
    P[i] = order[i]
"""
_KTH = """
buffer = np.empty(n, T)
for i in range(n):
    buffer[i] = X[i]
at = select_order(buffer, m_place)[m_place]
O[0] = buffer[at]
P[0] = at
"""
_SWAPPING = {torch.float16, torch.bfloat16, torch.bool}
"""Dtypes whose unstable sort on the CPU is the C++ library's: their ties fall as they do there."""


def _fits(tensor: torch.Tensor) -> bool:
    return types.supported(tensor.dtype) and not tensor.is_complex()


def ordered(self, dim: int, descending: bool, keep: int | None = None, stable: bool = True):
    """Return the first `keep` values along a dimension in order, and their positions."""
    dims = rows.dims_of(self, dim)
    moved, n = rows.last(self, dims)
    keep = n if keep is None else keep
    shape = [*moved.shape[:-1], keep] if self.dim() else []
    device = self.device.index
    values = tensors.empty(shape, self.dtype, device)
    places = tensors.empty(shape, torch.int64, device)
    if prod(shape):
        compute = types.KINDS[self.dtype].compute
        body = _DOWN if descending else _UP
        numbers = None if stable else {"m_descending": int(descending)}
        rows.run("sort", body if stable else _SWAPPED, compute, [moved], [values, places],
                 (n, keep), numbers)  # fmt: skip
    traffic.NATIVE["sort"] += 1
    if not self.dim():
        return values, places
    return values.movedim(-1, dims[0]), places.movedim(-1, dims[0])


def _deliver(made, outs):
    for one, out in zip(made, outs, strict=True):
        check_out(None, out, one.shape, one.dtype)
        rows.copy(one, out)
    return tuple(outs)


def sort_out(self, *, stable=None, dim=-1, descending=False, values, indices):
    """Sort along a dimension; stably also where that was not asked for and costs nothing."""
    if not _fits(self):
        return fallback(overload("sort.values_stable"), self, stable=stable, dim=dim,
                        descending=descending, values=values, indices=indices)  # fmt: skip
    stably = bool(stable) or self.dtype not in _SWAPPING
    return _deliver(ordered(self, dim, descending, None, stably), (values, indices))


def topk_out(self, k, dim=-1, largest=True, sorted=True, *, values, indices):
    """Return the k largest or smallest along a dimension."""
    size = self.shape[dim] if self.dim() else 1
    if not 0 <= k <= size:
        raise RuntimeError("selected index k out of range")
    if not _fits(self):
        return fallback(overload("topk.values"), self, k, dim, largest, sorted, values=values,
                        indices=indices)  # fmt: skip
    return _deliver(ordered(self, dim, largest, k), (values, indices))


def _at(self, dim, keepdim, places):
    """Return values and positions at one place per row of the order."""
    values, indices = ordered(self, dim, False)
    if not self.dim():
        return values, indices
    chosen = [t.gather(dim, places(values)) for t in (values, indices)]
    return [t if keepdim else t.squeeze(dim) for t in chosen]


def kthvalue_out(self, k, dim=-1, keepdim=False, *, values, indices):
    """Return the k-th smallest along a dimension."""
    size = self.shape[dim] if self.dim() else 1
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    if not _fits(self):
        return fallback(overload("kthvalue.values"), self, k, dim, keepdim, values=values,
                        indices=indices)  # fmt: skip
    for out in (values, indices):
        check_no_overlap(out, self)
    dims = rows.dims_of(self, dim)
    moved, n = rows.last(self, dims)
    shape = moved.shape[:-1] if self.dim() else ()
    made = [tensors.empty(shape, t, self.device.index) for t in (self.dtype, torch.int64)]
    compute = types.KINDS[self.dtype].compute
    rows.run("kth", _KTH, compute, [moved], made, (n, 1), {"m_place": k - 1})
    traffic.NATIVE["kthvalue"] += 1
    made = [t.unsqueeze(dims[0]) if keepdim and self.dim() else t for t in made]
    return _deliver(made, (values, indices))


def _middle(values, dim, skip_nan):
    """Return where the median stands: the lower of two, and a NaN where one counts."""
    size = values.shape[dim]
    nans = torch.isnan(values).sum(dim, keepdim=True)
    if skip_nan:
        return ((size - nans - 1) // 2).clamp_min(0)
    return torch.where(nans > 0, size - nans, torch.full_like(nans, (size - 1) // 2))


def _median(name: str, skip_nan: bool):
    def along(self, dim, keepdim=False, *, values, indices):
        if not _fits(self) or not self.numel():
            return fallback(overload(f"{name}.dim_values"), self, dim, keepdim, values=values,
                            indices=indices)  # fmt: skip
        return _deliver(
            _at(self, dim, keepdim, lambda v: _middle(v, dim, skip_nan)), (values, indices)
        )

    def whole(self):
        if not _fits(self) or not self.numel():
            return fallback(overload(name), self)
        return _at(self.reshape(-1), 0, False, lambda v: _middle(v, 0, skip_nan))[0]

    return along, whole


_MODE = """
buffer = np.empty(n, T)
for i in range(n):
    buffer[i] = X[i]
order = stable_order(buffer)
best = 0
run = 0
value = buffer[order[0]]
at = order[0]
for i in range(n):
    run = run + 1 if i > 0 and buffer[order[i]] == buffer[order[i - 1]] else 1
    if run > best:
        best = run
        value = buffer[order[i]]
        at = order[i]
for i in range(n):
    if buffer[i] == value:
        at = i
O[0] = value
P[0] = at
"""


def mode(self, dim=-1, keepdim=False):
    """Return the most frequent value along a dimension, the smallest of several."""
    if not _fits(self) or not self.numel():
        return fallback(overload("mode"), self, dim, keepdim)
    dims = rows.dims_of(self, dim)
    moved, n = rows.last(self, dims)
    shape = moved.shape[:-1] if self.dim() else ()
    device = self.device.index
    made = [tensors.empty(shape, self.dtype, device), tensors.empty(shape, torch.int64, device)]
    rows.run("mode", _MODE, types.KINDS[self.dtype].compute, [moved], made, (n, 1))
    traffic.NATIVE["mode"] += 1
    return tuple(t.unsqueeze(dims[0]) if keepdim and self.dim() else t for t in made)


def _unique(self, inverse: bool, counts: bool, flat_sorted: bool):
    """Return distinct values (of a sorted or a running order), and where each came from."""
    flat = self.reshape(-1)
    device = self.device
    values, order = ordered(flat, 0, False) if flat_sorted else (flat, None)
    new = torch.ones(flat.numel(), dtype=torch.bool, device=device)
    if flat.numel() > 1:
        new[1:] = values[1:] != values[:-1]
    distinct = values[new]
    group = new.to(torch.int64).cumsum(0) - 1
    where_ = torch.empty(0, dtype=torch.int64, device=device)
    if inverse:
        where_ = group
        if order is not None:
            where_ = torch.empty_like(group).scatter_(0, order, group)
        where_ = where_.reshape(self.shape)
    number = torch.empty(0, dtype=torch.int64, device=device)
    if counts:
        number = torch.zeros(distinct.numel(), dtype=torch.int64, device=device)
        number.index_add_(0, group, torch.ones_like(group))
    return distinct, where_, number


def unique2(self, sorted=True, return_inverse=False, return_counts=False):
    """Return distinct values in order."""
    if not _fits(self):
        return fallback(overload("_unique2"), self, sorted, return_inverse, return_counts)
    return _unique(self, return_inverse, return_counts, True)


def unique_consecutive(self, return_inverse=False, return_counts=False, dim=None):
    """Return values without their immediate repetitions."""
    if not _fits(self) or dim is not None:
        return fallback(overload("unique_consecutive"), self, return_inverse, return_counts, dim)
    return _unique(self, return_inverse, return_counts, False)


def equal(self, other):
    """Return whether two tensors have the same shape and elements."""
    if not _fits(self) or self.dtype != other.dtype or self.device != other.device:
        return fallback(overload("equal"), self, other)
    return self.shape == other.shape and bool((self == other).all().item())


_MEDIAN, _MEDIAN_ALL = _median("median", False)
_NANMEDIAN, _NANMEDIAN_ALL = _median("nanmedian", True)

KERNELS = {
    "sort.values_stable": sort_out,
    "topk.values": topk_out,
    "kthvalue.values": kthvalue_out,
    "median.dim_values": _MEDIAN,
    "median": _MEDIAN_ALL,
    "nanmedian.dim_values": _NANMEDIAN,
    "nanmedian": _NANMEDIAN_ALL,
    "mode": mode,
    "_unique2": unique2,
    "unique_consecutive": unique_consecutive,
    "equal": equal,
}
