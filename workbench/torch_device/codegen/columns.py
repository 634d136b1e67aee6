"""Kernels that reduce over dimensions that are not the innermost: columns, without transposing.

A column kernel's text is three expressions: what an accumulator ``acc`` starts as, what it becomes
when it meets an element ``x``, and what is stored in the end. Memory is seen as ``(outer, n,
inner)``; a core takes tiles of `TILE` neighbouring columns at a time and walks down their rows, so
that memory is read in order and each step is one vector operation. It refuses strides.
"""

from __future__ import annotations

from functools import cache

import torch

from workbench.torch_device.codegen import types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.core.memory import DELTA

TILE = 2048  # columns: float64 accumulators of a tile are half of a first-level cache

_ROWS = 8  # at a time: the accumulators are read and written once for so many rows

_TEXT = """
def kernel(w):
    n, inner, tiles = w[2], w[3], w[4]
    X = p_{source}(w[5])
    O = p_{target}(w[6])
    T = {compute}
    acc_ = np.empty({tile}, {accumulator})
    for r in range(w[0], w[1]):
        start = r % tiles * {tile}
        width = min({tile}, inner - start)
        for c in range(width):
            acc_[c] = {first}
        at = r // tiles * n * inner + start
        for i in range(n // {rows}):
            for c in range(width):
                acc = acc_[c]
{steps}
                acc_[c] = acc
            at += {rows} * inner
        for i in range(n % {rows}):
            for c in range(width):
                acc = acc_[c]
                x = {load}
                acc_[c] = {step}
            at += inner
        at = r // tiles * inner + start
        for c in range(width):
            acc = acc_[c]
            O[at + c] = {store}
    return 0
"""


@cache
def column_kernel(
    name: str, fold: tuple[str, str, str], kinds: tuple, source: torch.dtype, target: torch.dtype
) -> Kernel:
    """Return the kernel of a fold.

    Parameters
    ----------
    name : str
    fold : (str, str, str)
        Expressions for the start, the step and the result.
    kinds : (str, str)
        Types of the elements' arithmetic and of the accumulator.
    source, target : torch.dtype
    """
    compute, accumulator = kinds
    first, step, finish = fold
    text = _TEXT.format(
        source=types.KINDS[source].pointer, target=types.KINDS[target].pointer, tile=TILE,
        compute=compute, accumulator=f"np.{_NUMPY[accumulator]}", first=first, step=step,
        load=types.load(source, "X[at + c]", compute), rows=_ROWS, steps="\n".join(
            f"                x = {types.load(source, f'X[at + {i} * inner + c]', compute)}\n"
            f"                acc = {step}" for i in range(_ROWS)
        ),
        store=types.store(target, finish, accumulator),
    )  # fmt: skip
    return compile_kernel(f"columns_{name}", text)


_NUMPY = {"f4": "float32", "f8": "float64", "i8": "int64"}


def run(name, fold, kinds, data: torch.Tensor, out: torch.Tensor, shape) -> None:
    """Reduce contiguous `data`, seen as ``shape = (outer, n, inner)``, into contiguous `out`."""
    outer, n, inner = shape
    kernel = column_kernel(name, fold, kinds, data.dtype, out.dtype)
    tiles = -(-inner // TILE)
    words = (n, inner, tiles, data.data_ptr() + DELTA, out.data_ptr() + DELTA)
    launch(kernel, outer * tiles, words, n * min(inner, TILE))
