"""Matrix products: one blocked kernel behind mm, bmm, addmm, baddbmm, addmv and dot.

The loop order (row, inner, column) reads and writes rows in sequence, so that the innermost loop
uses vector units; sums are kept in float32 for 16-bit types, as tensor cores do. It refuses complex
numbers: they fall back, counted.
"""

from __future__ import annotations

from functools import cache

import torch

from workbench.torch_device import traffic
from workbench.torch_device.codegen import elementwise, rows, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA
from workbench.torch_device.core.views import overload
from workbench.torch_device.fallback import check_devices, fallback
from workbench.torch_device.ops.pointwise import check_out

_PRODUCT = """
def kernel(w):
    # one row of one product: o[r, :] = sum over k of a[r, k] * b[k, :]
    rows, inner, columns = w[2], w[3], w[4]
    a, b, o = p_{p}(w[5]), p_{p}(w[6]), p_{q}(w[7])
    acc = np.empty(columns, {T})
    for r in range(w[0], w[1]):
        base = (r // rows) * inner * columns
        for j in range(columns):
            acc[j] = {T}(0)
        for k in range(inner):
            x = {load_a}
            for j in range(columns):
                acc[j] += x * {load_b}
        for j in range(columns):
            o[r * columns + j] = {store}
    return 0
"""


@cache
def _kernel(dtype: torch.dtype, result: torch.dtype) -> Kernel:
    kind = types.KINDS[dtype]
    text = _PRODUCT.format(
        p=kind.pointer,
        q=types.KINDS[result].pointer,
        T=kind.compute,
        load_a=types.load(dtype, "a[r * inner + k]", kind.compute),
        load_b=types.load(dtype, "b[base + k * columns + j]", kind.compute),
        store=types.store(result, "acc[j]", kind.compute),
    )
    return compile_kernel("matmul", text, fast=True)


def product(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Return ``a @ b`` of two matrices or two stacks of matrices, contiguous.

    Parameters
    ----------
    a : torch.Tensor
        ``(..., n, k)``
    b : torch.Tensor
        ``(..., k, m)``, same dtype and leading dimensions.
    dtype : torch.dtype, optional
        Of the result, where it is not the operands'.
    """
    a, b = rows.contiguous(a), rows.contiguous(b)
    n, k, m = a.shape[-2], a.shape[-1], b.shape[-1]
    out = tensors.empty([*a.shape[:-1], m], dtype or a.dtype, a.device.index)
    words = (n, k, m, *(t.data_ptr() + DELTA for t in (a, b, out)))
    launch(_kernel(a.dtype, out.dtype), out.numel() // m if m else 0, words, k * m)
    traffic.NATIVE["matmul"] += 1
    return out


def _fits(*given: torch.Tensor) -> bool:
    dtype = given[0].dtype
    return types.supported(dtype) and not dtype.is_complex and all(t.dtype == dtype for t in given)


def _plain(name: str):
    op = overload(f"{name}.out")

    def kernel(self, mat2, *, out):
        check_devices(f"aten::{name}", (self, mat2, out), {})
        if not _fits(self, mat2, out) or self.dtype is torch.bool:
            return fallback(op, self, mat2, out=out)
        check_out(op, out, torch.Size([*self.shape[:-1], mat2.shape[-1]]), self.dtype)
        return rows.deliver(product(self, mat2), out)

    return kernel


_WIDE = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
"""What products are kept in until they have been scaled and added: so they are rounded once."""


def _scaled_sum(made, alpha, self, beta, out) -> torch.Tensor:
    """Write ``alpha * made + beta * self`` into `out`; where beta is 0, `self` is not read."""
    if not out.is_floating_point():
        alpha, beta = int(alpha), int(beta)
    operands = {"made": made, "alpha": alpha}
    if beta != 0:
        operands |= {"self": self.expand(out.shape), "beta": beta}
    text = "made * alpha + self * beta" if beta != 0 else "made * alpha"
    elementwise.run("scaled_sum", text, types.KINDS[out.dtype].compute, out, operands)
    return out


def _added(name: str, matrix_name: str):
    """Return the kernel of ``beta * self + alpha * (a @ b)``."""
    op = overload(f"{name}.out")

    def kernel(self, a, b, *, beta=1, alpha=1, out):
        check_devices(f"aten::{name}", (self, a, b, out), {})
        if not _fits(self, a, b, out):
            return fallback(op, self, a, b, beta=beta, alpha=alpha, out=out)
        vector = b.dim() == 1
        if vector and self.dtype in _WIDE:  # the CPU's gemv takes them in the elements' dtype
            alpha, beta = (float(torch.tensor(n, dtype=self.dtype)) for n in (alpha, beta))
        made = product(a, b.unsqueeze(-1) if vector else b, _WIDE.get(a.dtype))
        made = made.squeeze(-1) if vector else made
        check_out(op, out, made.shape, self.dtype)
        return _scaled_sum(made, alpha, self, beta, out)

    return kernel


def dot(self, other):
    """Return the product of two vectors."""
    if self.dim() != 1 or other.dim() != 1:
        raise RuntimeError(f"1D tensors expected, but got {self.dim()}D and {other.dim()}D tensors")
    if self.dtype != other.dtype:
        raise RuntimeError(
            "dot : expected both vectors to have same dtype, but found "
            f"{_title(self)} and {_title(other)}"
        )
    if self.numel() != other.numel():
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{self.numel()}] and src "
            f"[{other.numel()}] to have the same number of elements, but got {self.numel()} and "
            f"{other.numel()} elements respectively"
        )
    check_devices("aten::dot", (self, other), {})
    if not _fits(self, other):
        return fallback(overload("dot"), self, other)
    return product(self.unsqueeze(0), other.unsqueeze(1)).reshape(())


def _title(tensor: torch.Tensor) -> str:
    return tensor.type().rpartition(".")[2].removesuffix("Tensor")


def addbmm(self, batch1, batch2, *, beta=1, alpha=1):
    """Return ``beta * self + alpha * sum of batch1 @ batch2``."""
    if not _fits(self, batch1, batch2):
        return fallback(overload("addbmm"), self, batch1, batch2, beta=beta, alpha=alpha)
    if batch1.dim() != 3 or batch2.dim() != 3 or batch1.shape[2] != batch2.shape[1]:
        return fallback(overload("addbmm"), self, batch1, batch2, beta=beta, alpha=alpha)
    if not batch1.shape[0]:
        return self.expand(batch1.shape[1], batch2.shape[2]) * beta
    made = self
    for a, b in zip(batch1, batch2, strict=True):  # rounded after each, as on the CPU
        made = torch.addmm(made, a, b, beta=beta, alpha=alpha)
        beta = 1
    return made


KERNELS = {
    "mm.out": _plain("mm"),
    "bmm.out": _plain("bmm"),
    "addmm.out": _added("addmm", "mat1"),
    "baddbmm.out": _added("baddbmm", "batch1"),
    "addmv.out": _added("addmv", "mat"),
    "dot": dot,
    "vdot": lambda self, other: (
        dot(self, other) if not self.is_complex() else fallback(overload("vdot"), self, other)
    ),
    "addbmm": addbmm,
}
