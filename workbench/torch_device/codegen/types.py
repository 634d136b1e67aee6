"""How each dtype is stored, loaded and computed with in a kernel's text.

One row per dtype: the pointer that reads it, the type that arithmetic uses, and the text that loads
and stores one element. It refuses dtypes that are not in the table; `supported` says so before.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import torch


class Kind(NamedTuple):
    """One dtype in kernels' text: ``load`` and ``store`` have ``{}`` where the value goes."""

    pointer: str
    compute: str
    load: str = "{}"
    store: str = "{}"


KINDS = {
    torch.float32: Kind("f4", "f4"),
    torch.float64: Kind("f8", "f8"),
    torch.float16: Kind("u2", "f4", "half_to_f4({})", "f4_to_half(f4({}))"),
    torch.bfloat16: Kind("u2", "f4", "brain_to_f4({})", "f4_to_brain(f4({}))"),
    torch.int8: Kind("i1", "i8"),
    torch.int16: Kind("i2", "i8"),
    torch.int32: Kind("i4", "i8"),
    torch.int64: Kind("i8", "i8"),
    torch.uint8: Kind("u1", "i8"),
    torch.uint16: Kind("u2", "i8"),
    torch.uint32: Kind("u4", "i8"),
    torch.bool: Kind("u1", "i8", "i8({} != 0)", "u1(({}) != 0)"),
    torch.complex64: Kind("c8", "c8"),
    torch.complex128: Kind("c16", "c16"),
}

SHORT = {
    torch.float32: "f32", torch.float64: "f64", torch.float16: "f16", torch.bfloat16: "bf16",
    torch.int8: "i8", torch.int16: "i16", torch.int32: "i32", torch.int64: "i64",
    torch.uint8: "u8", torch.uint16: "u16", torch.uint32: "u32", torch.bool: "b1",
    torch.complex64: "c64", torch.complex128: "c128",
}  # fmt: skip


_ROUND = re.compile(r"\bR\(")


def rounded(text: str, dtype: torch.dtype) -> str:
    """Return text in which ``R(...)`` rounds to a dtype: it does nothing but for 16-bit floats."""
    name = {torch.float16: "as_half(", torch.bfloat16: "as_brain("}.get(dtype, "(")
    return _ROUND.sub(name, text)


def supported(*dtypes: torch.dtype) -> bool:
    """Return whether kernels can be generated for all of these."""
    return all(dtype in KINDS for dtype in dtypes)


def load(dtype: torch.dtype, text: str, compute: str) -> str:
    """Return the text that loads an element and converts it to the computing type."""
    kind = KINDS[dtype]
    loaded = kind.load.format(text)
    if kind.compute[0] == "c" and compute[0] != "c":
        return f"{compute}({loaded}.real)"
    return f"{compute}({loaded})"


def store(dtype: torch.dtype, value: str, compute: str) -> str:
    """Return the text that converts a computed value for storing."""
    kind = KINDS[dtype]
    if compute[0] == "c" and kind.compute[0] != "c":
        value = f"({value}).real"
    if dtype is torch.bool:
        return kind.store.format(value)
    if kind.pointer == kind.compute:
        return f"{kind.compute}({value})"
    if kind.store != "{}":
        return kind.store.format(value)
    return f"{kind.pointer}({'i8' if compute[0] == 'f' else ''}({value}))"
