"""Indexing along one dimension: gather, scatter, index_select, index_add and their kin.

Every index is checked by the kernel that uses it; one that is out of range makes the kernel
return its place, and the launch raises `IndexError`, where CUDA would stop the device. Boolean
masks become positions with `nonzero`. It refuses complex numbers in scatters: they fall back,
counted.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

from functools import cache
from math import prod

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.tensors import NAME
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops.pointwise import check_out, check_same
from workbench.torch_device.overlap import check_no_overlap, check_single

_PICK = """
def kernel(w):
    # element i of the result: outer, picked, inner -> data[outer, index, inner]
    size, inner, picked, full = w[2], w[3], w[4], w[5]
    d, ix, o = p_{p}(w[6]), p_i8(w[7]), p_{p}(w[8])
    for i in range(w[0], w[1]):
        at = ix[{which}]
        if at < 0:
            at += w[9] * size
        if at < 0 or at >= size:
            return i + 1
        o[i] = d[(i // (inner * picked) * size + at) * inner + i % inner]
    return 0
"""
_PLACE = """
def kernel(w):
    # outer rows are shared out; inside one, elements go in order
    size, inner, picked, span = w[2], w[3], w[4], w[5]
    d, ix, s = p_{p}(w[6]), p_i8(w[7]), p_{p}(w[8])
    T = {T}
    for r in range(w[0], w[1]):
        for k in range(picked * inner):
            i = r * picked * inner + k
            at = ix[{which}]
            if at < 0:
                at += w[9] * size
            if at < 0 or at >= size:
                return i + 1
            j = (r * size + at) * inner + k % inner
            old = {load_d}
            new = {load_s}
            d[j] = {value}
    return 0
"""
EACH, LINE = "i", "i // inner % picked"
REDUCE = {
    "replace": "new",
    "sum": "old + new",
    "prod": "old * new",
    "amax": "old if (old > new or old != old) else new",
    "amin": "old if (old < new or old != old) else new",
}


@cache
def _pick(dtype: torch.dtype, which: str) -> Kernel:
    width = {1: "u1", 2: "u2", 4: "u4", 8: "u8", 16: "c16"}[dtype.itemsize]
    return compile_kernel("pick", _PICK.format(p=width, which=which))


@cache
def _place(dtype: torch.dtype, which: str, how: str) -> Kernel:
    kind = types.KINDS[dtype]
    text = _PLACE.format(
        p=kind.pointer,
        T=kind.compute,
        which=which,
        load_d=types.load(dtype, "d[j]", kind.compute),
        load_s=types.load(dtype, "s[i]", kind.compute),
        value=types.store(dtype, REDUCE[how], kind.compute),
    )
    return compile_kernel(f"place_{how}", text)


def _out_of_range(index: torch.Tensor, size: int, words: str, wrap: bool):
    def explain(status: int) -> Exception:
        values = index.cpu().reshape(-1)
        bad = values[(values < (-size if wrap else 0)) | (values >= size)]
        kind = RuntimeError if words is _SCATTER else IndexError  # as the CPU's kernels raise
        return kind(words.format(index=int(bad[0]) if bad.numel() else "?", size=size))

    return explain


def _sizes(shape, dim: int) -> tuple[int, int, int]:
    return prod(shape[:dim]), shape[dim] if shape else 1, prod(shape[dim + 1 :])


def as_index(index: torch.Tensor, device: int) -> torch.Tensor:
    """Return an index tensor as the kernels read it: contiguous int64 on the device."""
    if index.device.type != NAME:
        index = index.to(torch.device(NAME, device))
    return rows.contiguous(index if index.dtype is torch.int64 else index.long())


def take_along(data, dim, index, shape, which, words, wrap=False) -> torch.Tensor:
    """Return the elements of `data` that `index` names along `dim`, in a tensor of a shape."""
    data, index = rows.contiguous(data), as_index(index, data.device.index)
    out = tensors.empty(shape, data.dtype, data.device.index)
    _, size, inner = _sizes(data.shape, dim)
    picked = shape[dim] if shape else 1
    words_ = (
        size,
        inner,
        picked,
        0,
        *(t.data_ptr() + DELTA for t in (data, index, out)),
        int(wrap),
    )
    explain = _out_of_range(index, size, words, wrap)
    launch(_pick(data.dtype, which), out.numel(), words_, explain=explain)
    return out


def put_along(data, dim, index, source, which, how, words, wrap=False) -> None:
    """Combine `source` into contiguous `data` at the places that `index` names along `dim`."""
    index = as_index(index, data.device.index)
    source = rows.contiguous(source)
    outer, size, inner = _sizes(data.shape, dim)
    picked = source.shape[dim] if source.dim() else 1
    words_ = (
        size,
        inner,
        picked,
        0,
        *(t.data_ptr() + DELTA for t in (data, index, source)),
        int(wrap),
    )
    explain = _out_of_range(index, size, words, wrap)
    if source.numel():
        launch(_place(data.dtype, which, how), outer, words_, picked * inner, explain)


_SCATTER = "index {index} is out of bounds for dimension of size {size} in gather or scatter"
_GATHER = "index {index} is out of bounds for dimension with size {size}"
SELECT = "index out of range in self"


def gather_out(self, dim, index, *, sparse_grad=False, out):
    """Pick elements along a dimension, an index for each."""
    op = overload("gather.out")
    if not types.supported(self.dtype) or self.dim() != index.dim() or not self.dim():
        return fallback(op, self, dim, index, sparse_grad=sparse_grad, out=out)
    check_devices("aten::gather", (self, index, out), {})
    dim = rows.dims_of(self, dim)[0]
    data = _window(self, index, dim)
    check_same(out, self.dtype)
    check_out(op, out, index.shape, self.dtype)
    check_no_overlap(out, self, index)
    if not index.numel():
        return out
    traffic.NATIVE["gather"] += 1
    return rows.deliver(take_along(data, dim, index, index.shape, EACH, _SCATTER), out)


def _window(data, index, dim):
    """Cut the other dimensions down to the index's sizes."""
    for d in range(data.dim()):
        if d != dim and index.shape[d] < data.shape[d]:
            data = data.narrow(d, 0, index.shape[d])
    return data


def _scatter(name: str, how: str | None = None):
    op = overload(name)

    def kernel(self, dim, index, src, *args, out, **kwargs):
        reduce_ = how or {"add": "sum", "multiply": "prod"}.get(
            name := kwargs.get("reduce", args[0] if args else ""), name
        )
        number = not isinstance(src, torch.Tensor)
        fits = types.supported(self.dtype) and self.dim() and not self.is_complex()
        plain = fits and kwargs.get("include_self", True) and reduce_ in REDUCE
        if not plain or (not number and src.dtype != self.dtype) or index.dim() != self.dim():
            return fallback(op, self, dim, index, src, *args, out=out, **kwargs)
        check_devices(op.name(), (self, index, src, out), {})
        dim = rows.dims_of(self, dim)[0]
        check_out(op, out, self.shape, self.dtype)
        made = tensors.empty(self.shape, self.dtype, self.device.index)
        rows.copy(self, made)
        if index.numel():
            _scatter_into(made, dim, index, src, reduce_)
        traffic.NATIVE[op.name()] += 1
        rows.copy(made, out)
        return out

    return kernel


def _scatter_into(made, dim, index, src, how):
    if not isinstance(src, torch.Tensor):
        src = torch.full(index.shape, src, dtype=made.dtype, device=made.device)
    for d in range(src.dim()):
        src = src.narrow(d, 0, index.shape[d])
    window = _window(made, index, dim)
    work = rows.contiguous(window)
    put_along(work, dim, index, src, EACH, how, _SCATTER)
    if work is not window:
        rows.copy(work, window)


def index_select_out(self, dim, index, *, out):
    """Pick slices along a dimension."""
    check_no_overlap(out, self, index)
    check_single(out)
    made = index_select(self, dim, index)
    check_out(None, out, made.shape, made.dtype)
    return rows.deliver(made, out)


def index_select(self, dim, index):
    """Pick slices along a dimension, into a new tensor."""
    if index.dim() > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype not in (torch.int64, torch.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    check_devices("aten::index_select", (self, index), {})
    if not types.supported(self.dtype):
        return fallback(overload("index_select"), self, dim, index)
    if not self.dim():
        return index_select(self.reshape(1), 0, index.reshape(-1)).reshape(())
    dim = rows.dims_of(self, dim)[0]
    shape = [*self.shape[:dim], index.numel(), *self.shape[dim + 1 :]]
    traffic.NATIVE["index_select"] += 1
    return take_along(self, dim, index.reshape(-1), shape, LINE, SELECT)


def _index_update(name: str, how: str, fill: bool = False):
    op = overload(name)

    def kernel(self, dim, index, source, *args, out=None, alpha=1, include_self=True, reduce=None):
        chosen = how or {"mean": ""}.get(args[0] if args else reduce, args[0] if args else reduce)
        fits = types.supported(self.dtype) and self.dim() and not self.is_complex()
        if not fits or not include_self or chosen not in REDUCE or index.dim() > 1:
            given = {"alpha": alpha} if name == "index_add.out" else {}
            given |= {"include_self": include_self} if name == "index_reduce.out" else {}
            given |= {} if out is None else {"out": out}
            return fallback(op, self, dim, index, source, *args, **given)
        check_devices(op.name(), (self, index, source), {})
        dim = rows.dims_of(self, dim)[0]
        target = self if out is None else out
        if out is not None:
            check_out(op, out, self.shape, self.dtype)
        check_single(target)
        made = tensors.empty(self.shape, self.dtype, self.device.index)
        rows.copy(self, made)
        index = index.reshape(-1)
        shape = [*self.shape[:dim], index.numel(), *self.shape[dim + 1 :]]
        if fill:
            value = source.item() if isinstance(source, torch.Tensor) else source
            source = torch.full(shape, value, dtype=self.dtype, device=self.device)
        source = source.reshape(shape)
        source = source * alpha if alpha != 1 else source
        put_along(made, dim, index, source, LINE, chosen, _GATHER, wrap=fill)
        traffic.NATIVE[op.name()] += 1
        rows.copy(made, target)
        return target

    return kernel


KERNELS = {
    "gather.out": gather_out,
    "scatter.src_out": _scatter("scatter.src_out", "replace"),
    "scatter.value_out": _scatter("scatter.value_out", "replace"),
    "scatter.reduce_out": _scatter("scatter.reduce_out"),
    "scatter.value_reduce_out": _scatter("scatter.value_reduce_out"),
    "scatter_add.out": _scatter("scatter_add.out", "sum"),
    "scatter_reduce.two_out": _scatter("scatter_reduce.two_out"),
    "index_select": index_select,
    "index_select.out": index_select_out,
    "index_add.out": _index_update("index_add.out", "sum"),
    "index_copy.out": _index_update("index_copy.out", "replace"),
    "index_reduce.out": _index_update("index_reduce.out", ""),
    "index_fill_.int_Scalar": _index_update("index_fill_.int_Scalar", "replace", True),
    "index_fill_.int_Tensor": _index_update("index_fill_.int_Tensor", "replace", True),
}
