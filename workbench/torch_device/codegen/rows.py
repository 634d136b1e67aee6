"""Kernels that work row by row: reductions, scans, softmax, sorting.

A row kernel's text sees one row at a time: ``X[i]`` (and ``Y[i]``, ``Z[i]``) read its ``n``
elements in the computing type ``T``, ``O[j] = v`` (and ``P``, ``Q``) write its ``m`` results. The
caller brings the dimensions it works along to the end; rows are contiguous. Cores share the rows
out; within a row sums may be reordered, so that loops use vector units.

It refuses strides: `contiguous` copies first, with our own kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from math import prod

import torch

from workbench.torch_device.codegen import elementwise, types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core import tensors
from workbench.torch_device.core.memory import DELTA

_READ = re.compile(r"\b([XYZ])\[([^\[\]]+)\]")
_WRITE = re.compile(r"^(\s*)([OPQ])\[([^\[\]]+)\] = (.+)$")


@cache
def row_kernel(
    name: str, body: str, compute: str, inputs: tuple, outputs: tuple, numbers: tuple
) -> Kernel:
    """Return the kernel of a row's text for these dtypes; `numbers` name extra words."""
    lines = ["def kernel(w):", "    T = " + compute, "    n, m = w[2], w[3]"]
    word = 4
    for letter, dtype in (*zip("XYZ", inputs, strict=False), *zip("OPQ", outputs, strict=False)):
        lines.append(f"    {letter} = p_{types.KINDS[dtype].pointer}(w[{word}])")
        word += 1
    for number in numbers:
        text = f"f8_of_bits(w[{word}])" if number.startswith("f_") else f"w[{word}]"
        lines.append(f"    {number} = {text}")
        word += 1
    lines.append("    for r in range(w[0], w[1]):")
    kinds = dict(zip("XYZ", inputs, strict=False)) | dict(zip("OPQ", outputs, strict=False))

    def read(match):
        letter, index = match.groups()
        return types.load(kinds[letter], f"{letter}[r * n + {index}]", compute)

    for line in body.strip("\n").splitlines():
        written = _WRITE.match(line)
        if written:
            indent, letter, index, value = written.groups()
            value = _READ.sub(read, value)
            kind = "i8" if kinds[letter] is torch.int64 else compute
            stored = types.store(kinds[letter], value, kind)
            line = f"{indent}{letter}[r * m + {index}] = {stored}"
        else:
            line = _READ.sub(read, line)
        lines.append("        " + line)
    lines += ["    return 0", ""]
    return compile_kernel(name, "\n".join(lines), fast=True)


_LAZY = {
    (False, False): "self",
    (True, False): "complex(self.real, -self.imag)",
    (False, True): "-self",
    (True, True): "complex(-self.real, self.imag)",
}


copied: Callable[[torch.dtype, Kernel], None] = lambda dtype, kernel: None  # noqa: E731
"""Told of each kernel that has copied one dtype as it is; the shim puts its own here."""


def copy(source: torch.Tensor, destination: torch.Tensor) -> bool:
    """Copy between tensors of one device, converting the dtype, with our own kernel.

    Returns False, and does nothing, for dtypes that kernels lack.
    """
    if not types.supported(source.dtype, destination.dtype):
        return False
    kind = types.KINDS[destination.dtype].compute
    given = types.KINDS[source.dtype].compute
    compute = kind if kind[0] == "c" or (given[0] == "i" and kind[0] == "i") else given
    if given[0] == "i" and kind == "f8":
        compute = "f8"
    lazy = (
        source.is_conj() != destination.is_conj(),
        source.is_neg() != destination.is_neg(),
    )
    kernel = elementwise.run(
        f"copy{lazy[0]:d}{lazy[1]:d}", _LAZY[lazy], compute, destination, {"self": source}
    )
    if kernel is not None and not any(lazy) and source.dtype == destination.dtype:
        copied(source.dtype, kernel)
    return True


def contiguous(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor itself where its elements lie in order, else a copy where they do."""
    if tensor.is_contiguous():
        return tensor
    made = tensors.empty(tensor.shape, tensor.dtype, tensor.device.index)
    if not copy(tensor, made):
        made.copy_(tensor)
    return made


def dims_of(tensor: torch.Tensor, dims) -> list[int]:
    """Return the dimensions meant, none or an empty list meaning all, as non-negative numbers."""
    count = tensor.dim()
    if count > tensors.MAX_DIMS:
        raise RuntimeError(f"only tensors with up to {tensors.MAX_DIMS} dims are supported")
    if dims is None or (isinstance(dims, (list, tuple)) and not dims):
        return list(range(count))
    dims = [dims] if isinstance(dims, int) else list(dims)
    for d in dims:
        if not -max(count, 1) <= d < max(count, 1):
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(count, 1)}, "
                f"{max(count, 1) - 1}], but got {d})"
            )
    return [d % count for d in dims] if count else []


def last(tensor: torch.Tensor, dims: list[int]) -> tuple[torch.Tensor, int]:
    """Return the tensor with `dims` moved to the end, contiguous, and their number of elements."""
    if not dims:
        return contiguous(tensor), 1
    others = [d for d in range(tensor.dim()) if d not in dims]
    order = others + dims
    moved = tensor if order == list(range(tensor.dim())) else tensor.permute(order)
    return contiguous(moved), prod(tensor.shape[d] for d in dims)


def run(
    name: str,
    body: str,
    compute: str,
    inputs: list[torch.Tensor],
    outputs: list[torch.Tensor],
    row: tuple[int, int],
    numbers: dict | None = None,
    count: int | None = None,
) -> None:
    """Run a row kernel.

    Parameters
    ----------
    name, body, compute : str
        As for `row_kernel`.
    inputs, outputs : list of torch.Tensor
        Contiguous device tensors.
    row : (int, int)
        Elements of an input row and of an output row.
    numbers : dict, optional
        Extra words by name; floats have names that begin with ``f_``.
    count : int, optional
        How many rows, where the first output is empty or the number does not follow from it.
    """
    n, m = row
    rows = outputs[0].numel() // m if count is None else count
    if not rows:
        return
    numbers = numbers or {}
    kernel = row_kernel(
        name, body, compute, tuple(t.dtype for t in inputs), tuple(t.dtype for t in outputs),
        tuple(numbers),
    )  # fmt: skip
    words = [elementwise.number_words(v)[1][0] for v in numbers.values()]
    addresses = [t.data_ptr() + DELTA for t in (*inputs, *outputs)]
    launch(kernel, rows, (n, m, *addresses, *words), max(n, m))


def deliver(made: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """Copy a result into the output that was asked for, unless it is that output already."""
    if made.data_ptr() != out.data_ptr() or made.stride() != out.stride():
        copy(made if made.shape == out.shape else made.reshape(out.shape), out)
    return out
