"""Indexing by several tensors or a mask, and rearranging: index, index_put, nonzero, flip, roll.

Boolean masks become positions with `nonzero`; several index tensors become one flat index, and the
kernels of `indexing` do the rest, range checks included.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

from functools import cache
from math import prod

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import streams, tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops.indexing import (
    EACH,
    LINE,
    SELECT,
    as_index,
    index_select,
    put_along,
    take_along,
)
from workbench.torch_device.ops.pointwise import check_out
from workbench.torch_device.overlap import check_no_overlap, check_single

_COUNT = """
def kernel(w):
    n = w[2]
    x, o = p_u1(w[3]), p_i8(w[4])
    found = 0
    for i in range(n):
        if x[i] != 0:
            o[found] = i
            found += 1
    p_i8(w[5])[0] = found
    return 0
"""


@cache
def _counter() -> Kernel:
    return compile_kernel("nonzero", _COUNT)


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Return the flat positions of a mask's true elements; the host waits for their number."""
    device = mask.device.index
    mask = rows.contiguous(mask if mask.dtype is torch.bool else mask != 0)
    room = tensors.empty([mask.numel() + 1], torch.int64, device)
    count = tensors.empty([1], torch.int64, device)
    words = (mask.numel(), *(t.data_ptr() + DELTA for t in (mask, room, count)))
    launch(_counter(), 1, words, mask.numel())
    return room[: int(count.item())]


def nonzero(self):
    """Return the coordinates of the elements that are not zero, one row each."""
    if not types.supported(self.dtype):
        return fallback(overload("nonzero"), self)
    flat = positions(self)
    traffic.NATIVE["nonzero"] += 1
    out = tensors.empty([flat.numel(), self.dim()], torch.int64, self.device.index)
    step = self.numel()
    for d, n in enumerate(self.shape):
        step //= max(n, 1)
        if flat.numel():
            out.select(1, d).copy_((flat // step) % n)
    return out


def _into(function):
    def kernel(*args, out):
        check_no_overlap(out, *args)
        made = function(*args)
        check_out(None, out, made.shape, made.dtype)
        return rows.deliver(made, out)

    return kernel


def masked_select(self, mask):
    """Return the elements under a mask."""
    if mask.dtype is not torch.bool:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    check_devices("aten::masked_select", (self, mask), {})
    if not types.supported(self.dtype):
        return fallback(overload("masked_select"), self, mask)
    shape = torch.broadcast_shapes(self.shape, mask.shape)
    flat = positions(mask.expand(shape))
    traffic.NATIVE["masked_select"] += 1
    data = rows.contiguous(self.expand(shape)).reshape(-1)
    return take_along(data, 0, flat, [flat.numel()], EACH, SELECT)


def _flat_index(self, indices):
    """Turn advanced indices into flat positions of a permuted tensor.

    Returns the data with its indexed dimensions first, one flat index, the index's shape, and where
    the index's dimensions go in the result.
    """
    expanded: list = []
    for index in indices:
        if index is not None and index.dtype in (torch.bool, torch.uint8):
            _check_mask(self, index, len(expanded))
            coordinates = nonzero(index.to(self.device))
            expanded += [coordinates.select(1, d) for d in range(index.dim())]
        else:
            expanded.append(index)
    if len(expanded) > self.dim():
        raise IndexError(
            f"too many indices for tensor of dimension {self.dim()} (got {len(expanded)})"
        )
    used = [d for d, index in enumerate(expanded) if index is not None]
    shapes = [expanded[d].shape for d in used]
    try:
        shape = torch.broadcast_shapes(*shapes)
    except RuntimeError:
        listed = ", ".join(str(list(s)) for s in shapes)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
        ) from None
    flat = None
    for d in used:
        size = self.shape[d]
        index = as_index(expanded[d], self.device.index)
        _check_range(index, size, d)
        index = torch.where(index < 0, index + size, index)
        flat = index if flat is None else flat * size + index
    together = used == list(range(used[0], used[-1] + 1))
    return used, flat.expand(shape), shape, used[0] if together else 0


def _check_mask(self, mask, at):
    for d, n in enumerate(mask.shape):
        if at + d >= self.dim() or n != self.shape[at + d]:
            raise IndexError(
                f"The shape of the mask {list(mask.shape)} at index {d} does not match the shape "
                f"of the indexed tensor {list(self.shape)} at index {at + d}"
            )


def _check_range(index, size, dim):
    if not index.numel():
        return
    low, high = int(index.min().item()), int(index.max().item())
    if low < -size or high >= size:
        bad = low if low < -size else high
        raise IndexError(f"index {bad} is out of bounds for dimension {dim} with size {size}")


def index_out(self, indices, *, out):
    """Pick elements by lists of indices or masks, as ``x[i, :, j]`` does."""
    if not types.supported(self.dtype) or not any(i is not None for i in indices):
        return fallback(overload("index.Tensor_out"), self, indices, out=out)
    used, flat, shape, at = _flat_index(self, indices)
    others = [d for d in range(self.dim()) if d not in used]
    data = rows.contiguous(self.permute(used + others))
    rest = [self.shape[d] for d in others]
    data = data.reshape([prod(self.shape[d] for d in used), *rest])
    made = take_along(data, 0, flat.reshape(-1), [flat.numel(), *rest], LINE, SELECT)
    made = made.reshape([*shape, *rest])
    order = list(range(len(shape), len(shape) + at))
    order += list(range(len(shape)))
    order += list(range(len(shape) + at, made.dim()))
    made = made.permute(order)
    traffic.NATIVE["index"] += 1
    check_out(None, out, made.shape, None)
    rows.copy(made, out)
    return out


def index_put_(self, indices, values, accumulate=False, unsafe=False):
    """Write elements by lists of indices or masks, as ``x[i, :, j] = v`` does."""
    op = overload("_index_put_impl_")
    fits = types.supported(self.dtype) and not self.is_complex() and self.dtype is not torch.bool
    if not (fits or (self.dtype is torch.bool and not accumulate)):
        return fallback(op, self, indices, values, accumulate, unsafe)
    if self.dtype != values.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{_name(self)} for the destination and {_name(values)} for the source."
        )
    if not any(i is not None for i in indices):
        return fallback(op, self, indices, values, accumulate, unsafe)
    check_single(self)
    used, flat, shape, at = _flat_index(self, indices)
    others = [d for d in range(self.dim()) if d not in used]
    rest = [self.shape[d] for d in others]
    view = self.permute(used + others)
    work = tensors.empty(view.shape, self.dtype, self.device.index)
    rows.copy(view, work)
    target = [*rest[:at], *shape, *rest[at:]]
    order = list(range(at, at + len(shape))) + list(range(at))
    order += list(range(at + len(shape), len(target)))
    source = values.to(self.device).expand(target).permute(order)
    source = source.reshape([flat.numel(), *rest])
    data = work.view([prod(self.shape[d] for d in used), *rest])
    put_along(data, 0, flat.reshape(-1), source, LINE, "sum" if accumulate else "replace", SELECT)
    rows.copy(work, view)
    traffic.NATIVE["index_put"] += 1
    return self


def _name(tensor: torch.Tensor) -> str:
    return tensor.type().rpartition(".")[2].removesuffix("Tensor")


def flip(self, dims):
    """Reverse dimensions."""
    if not types.supported(self.dtype):
        return fallback(overload("flip"), self, dims)
    listed = rows.dims_of(self, dims) if dims else []
    if len(set(listed)) != len(listed):
        raise RuntimeError(f"dim {listed[0]} appears multiple times in the list of dims")
    made = self
    for d in listed:
        index = torch.arange(self.shape[d] - 1, -1, -1, device=self.device)
        made = index_select(made, d, index) if self.dim() else made
    return made.clone() if made is self else made


def roll(self, shifts, dims=()):
    """Rotate along dimensions."""
    op = overload("roll")
    if not types.supported(self.dtype):
        return fallback(op, self, shifts, dims)
    if not dims and len(shifts) == 1:
        return roll(self.reshape(-1), shifts, [0]).reshape(self.shape)
    if len(shifts) != len(dims) or not shifts:
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
            if shifts
            else "`shifts` required"
        )
    if not self.dim():
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    made = self
    for shift, dim in zip(shifts, dims, strict=True):
        size = made.shape[dim] if made.dim() else 1
        start = -shift % size if size else 0
        made = torch.cat([made.narrow(dim, start, size - start), made.narrow(dim, 0, start)], dim)
    return made


def repeat_interleave(repeats, *, output_size=None):
    """Return each position as often as `repeats` says."""
    if repeats.dim() != 1 or repeats.dtype not in (torch.int32, torch.int64):
        return fallback(overload("repeat_interleave.Tensor"), repeats, output_size=output_size)
    ends = repeats.cumsum(0)
    total = int(ends[-1].item()) if repeats.numel() else 0
    if repeats.numel() and int(repeats.min().item()) < 0:
        raise RuntimeError("repeats can not be negative")
    starts = torch.zeros([total + 1], dtype=torch.int64, device=repeats.device)
    starts.index_add_(0, ends, torch.ones_like(ends))
    streams.wait_for_current()
    return starts[:total].cumsum(0).to(repeats.dtype)


KERNELS = {
    "nonzero": nonzero,
    "nonzero.out": _into(nonzero),
    "masked_select": masked_select,
    "masked_select.out": _into(masked_select),
    "index.Tensor_out": index_out,
    "_index_put_impl_": index_put_,
    "flip": flip,
    "roll": roll,
    "repeat_interleave.Tensor": repeat_interleave,
}
