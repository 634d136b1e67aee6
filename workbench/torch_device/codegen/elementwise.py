"""One generator for every elementwise operator: an expression in, a loop over any strides out.

The expression is written over the operator's own argument names (``"self + alpha * other"``). For
each combination of dtypes met, one kernel is generated with two loops, one for unit strides that
the compiler turns into vector instructions and one for any strides; a driver that is compiled once
walks the outer dimensions, as PyTorch's TensorIterator does. Numbers, and zero-dimensional CPU
tensors, travel in the kernel's words.

It refuses shapes that do not broadcast and dtypes that `types.KINDS` lacks.
"""

from __future__ import annotations

import re
import struct
from functools import cache

import torch

from workbench.torch_device.codegen import types
from workbench.torch_device.codegen.compiler import Kernel, compile_kernel
from workbench.torch_device.codegen.launch import launch
from workbench.torch_device.codegen.strided import broadcast_strides, coalesce, drive
from workbench.torch_device.codegen.vector_math import GUARDED
from workbench.torch_device.core.memory import DELTA

_INT, _FLOAT = struct.Struct("q"), struct.Struct("d")
_NUMBER = {
    "i": "i8({w})",
    "f": "f8_of_bits({w})",
    "c": "complex(f8_of_bits({w}), f8_of_bits({w2}))",
}


@cache
def loop(name: str, expression: str, compute: str, out: torch.dtype, operands: tuple) -> Kernel:
    """Return the kernel of an expression.

    Parameters
    ----------
    name : str
        For the file's name.
    expression : str
    compute : str
        The type of the arithmetic, see `types.Kind`.
    out : torch.dtype
    operands : tuple of (str, torch.dtype or str)
        Argument names, each with its dtype, or with ``"i"``, ``"f"``, ``"c"`` for a number.
    """
    expression = types.rounded(expression, out)
    pointers = [(n, d) for n, d in operands if isinstance(d, torch.dtype)]
    lines = ["def kernel(w):", "    first_, last_ = w[0], w[1]"]
    lines += [*_pointers(out, pointers), *_numbers(operands, compute, 4 + 2 * len(pointers))]
    lines += [f"    T = {compute}", "    bad_ = False"]
    store = types.store(out, expression, compute)
    loads = [(n, lambda place, d=d: types.load(d, place, compute)) for n, d in pointers]
    check = ["            bad_ |= other == 0"] if _divides(expression, compute) else []

    def body(places, target, fixed=()):
        read = [
            f"            {n} = {load(place)}"
            for (n, load), place in zip(loads, places, strict=True)
            if n not in fixed
        ]
        return ["        for i in range(first_, last_):", *read, *check,
                f"            o[{target}] = {store}"]  # fmt: skip

    unit = " and ".join(["so == 1", *(f"s{i} == 1" for i in range(len(pointers)))])
    inner = [f"p{i}[i]" for i in range(len(pointers))]
    quick = GUARDED.get(expression) if compute == "f4" and len(pointers) == 1 else None
    if quick is not None:
        lines += _guarded(unit, pointers[0], out, compute, *quick)
    start = "    elif" if quick else "    if"
    if pointers and pointers[0][1] == out and quick is None:  # in place: known not to overlap
        lines += [f"{start} w[2] == w[4] and {unit}:", *body(["o[i]", *inner[1:]], "i")]
        start = "    elif"
    lines += [f"{start} {unit}:", *body(inner, "i")]
    if len(pointers) == 2:
        name, load = loads[1]
        lines += ["    elif so == 1 and s0 == 1 and s1 == 0:", f"        {name} = {load('p1[0]')}"]
        lines += body(inner, "i", fixed=(name,))
    lines += ["    else:"]
    lines += body([f"p{i}[i * s{i}]" for i in range(len(pointers))], "i * so")
    lines += ["    return i8(bad_)", ""]
    return compile_kernel(name, "\n".join(lines))


def _pointers(out: torch.dtype, pointers: list) -> list[str]:
    """Return the lines that read addresses and strides out of the words."""
    lines = [f"    o, so = p_{types.KINDS[out].pointer}(w[2]), w[3]"]
    for i, (_, dtype) in enumerate(pointers):
        at = 4 + 2 * i
        lines.append(f"    p{i}, s{i} = p_{types.KINDS[dtype].pointer}(w[{at}]), w[{at + 1}]")
    return lines


def _numbers(operands: tuple, compute: str, word: int) -> list[str]:
    """Return the lines that read numbers out of the words, from `word` on."""
    lines = []
    for argument, kind in operands:
        if isinstance(kind, str):
            text = _NUMBER[kind].format(w=f"w[{word}]", w2=f"w[{word + 1}]")
            number = f"{compute}({text})" if kind == "c" or compute[0] != "i" else text
            if compute[0] != "c" and kind == "c":
                number = f"{compute}({text}.real)"
            lines.append(f"    {argument} = {number}")
            word += 2 if kind == "c" else 1
    return lines


def _divides(expression: str, compute: str) -> bool:
    """Whether whole numbers are divided by the operand ``other``, which then may not be 0."""
    return compute[0] == "i" and re.search(r"//|%|trunc_div\(", expression) is not None


def zero_division(status: int) -> Exception:
    """Return the error of a division of whole numbers by 0, in PyTorch's word for it."""
    return RuntimeError("ZeroDivisionError")


def _guarded(unit, operand, out, compute, condition, expression) -> list[str]:
    """Return a loop over blocks: where a block meets a condition, another expression serves."""
    name, dtype = operand
    read = f"            {name} = {types.load(dtype, 'p0[i]', compute)}"
    return [
        "    near_ = True",
        f"    if {unit}:",
        "        for i in range(first_, last_):",
        read,
        f"            near_ &= {condition}",
        f"    if near_ and {unit}:",
        "        for i in range(first_, last_):",
        read,
        f"            o[i] = {types.store(out, expression, compute)}",
    ]


def number_words(value) -> tuple[str, tuple[int, ...]]:
    """Return the kind of a Python number (``i``, ``f``, ``c``) and the words that carry it."""
    if isinstance(value, complex):
        return "c", (_bits(value.real), _bits(value.imag))
    if isinstance(value, float):
        return "f", (_bits(value),)
    value = int(value)
    return "i", (value if value < 1 << 63 else value - (1 << 64),)


def _bits(value: float) -> int:
    return _INT.unpack(_FLOAT.pack(value))[0]


def run(
    name: str, expression: str, compute: str, out: torch.Tensor, operands: dict
) -> Kernel | None:
    """Compute an expression into `out`, over whatever shapes and strides the operands have.

    Returns the kernel, or None where there was nothing to compute.

    Parameters
    ----------
    name, expression, compute : str
        As for `loop`.
    out : torch.Tensor
        A device tensor of the broadcast shape.
    operands : dict
        Argument name -> device tensor or Python number.
    """
    count = out.numel()
    if not count:
        return None
    signature, pointers, numbers = [], [out], []
    for argument, value in operands.items():
        if isinstance(value, torch.Tensor):
            signature.append((argument, value.dtype))
            pointers.append(value)
        else:
            kind, words = number_words(value)
            signature.append((argument, kind))
            numbers.extend(words)
    kernel = loop(name, expression, compute, out.dtype, tuple(signature))
    addresses = [t.data_ptr() + DELTA for t in pointers]
    explain = zero_division if _divides(expression, compute) else None
    shape = out.shape
    if out.is_contiguous() and all(t.is_contiguous() and t.shape == shape for t in pointers):
        words = [w for address in addresses for w in (address, 1)]
        launch(kernel, count, (*words, *numbers), len(pointers), explain)
        return kernel
    sizes, strides = coalesce(shape, [broadcast_strides(t, shape) for t in pointers])
    if len(sizes) <= 1:
        inner = [s[0] if s else 1 for s in strides]
        words = [w for pair in zip(addresses, inner, strict=True) for w in pair]
        launch(kernel, count, (*words, *numbers), len(pointers), explain)
        return kernel
    drive(kernel, sizes, strides, pointers, addresses, numbers, explain)
    return kernel
