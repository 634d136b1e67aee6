"""What the Vector unit's operations compute: NumPy on a memory, rounded once to the dtype.

Functions ``do_*(memory, ...)`` are carried out when a recording is read; `operations.vector` issues
them. Sums are taken in float32 whatever the dtype. They refuse to check what was
checked when it was issued; only offsets, which are values, are looked at here.
"""

from __future__ import annotations

import numpy as np

from workbench.aicore.findings import AICoreError

BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}
UNARY = {
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: (1 / np.sqrt(x.astype(np.float32))).astype(x.dtype),
    "reciprocal": lambda x: (1 / x.astype(np.float32)).astype(x.dtype),
    "abs": np.abs,
    "relu": lambda x: np.maximum(x, 0),
}
SCALAR = {"adds": np.add, "muls": np.multiply, "maxs": np.maximum, "mins": np.minimum}
COMPARE = {
    "LT": np.less,
    "GT": np.greater,
    "LE": np.less_equal,
    "GE": np.greater_equal,
    "EQ": np.equal,
    "NE": np.not_equal,
}
ROUND = {"RINT": np.rint, "FLOOR": np.floor, "CEIL": np.ceil, "TRUNC": np.trunc, "NONE": None}


def do_binary(memory, ufunc, dst, a, b) -> None:
    """Combine two tensors, element by element."""
    dst.view(memory)[...] = ufunc(a.view(memory), b.view(memory))


def do_unary(memory, ufunc, dst, src) -> None:
    """Map one tensor, element by element."""
    dst.view(memory)[...] = ufunc(src.view(memory))


def do_scalar(memory, ufunc, dst, src, scalar) -> None:
    """Combine a tensor and a number."""
    dst.view(memory)[...] = ufunc(src.view(memory), dst.dtype.type(scalar))


def do_axpy(memory, dst, src, scalar) -> None:
    """Multiply and add, rounding once."""
    out = dst.view(memory)
    wide = src.view(memory).astype(np.float64) * float(dst.dtype.type(scalar))
    out[...] = wide + out.astype(np.float64)


def do_fill(memory, dst, scalar) -> None:
    """Write one value everywhere."""
    dst.view(memory)[...] = scalar


def do_cast(memory, dst, src, mode) -> None:
    """Convert; whole numbers saturate."""
    values, whole = src.view(memory), dst.dtype.kind in "iu"
    if whole and src.dtype.kind not in "iu":
        if mode != "NONE":
            values = ROUND[mode](values.astype(np.float32))
        info = np.iinfo(dst.dtype)
        values = np.clip(np.nan_to_num(values.astype(np.float64)), info.min, info.max)
    dst.view(memory)[...] = values.astype(dst.dtype)


def do_compare(memory, dst, a, b, how) -> None:
    """Pack a bit for each comparison."""
    bits = COMPARE[how](a.view(memory), b.view(memory))
    dst.view(memory)[...] = np.packbits(bits, bitorder="little")


def do_select(memory, dst, mask, a, b) -> None:
    """Take one or the other, by bits."""
    bits = np.unpackbits(mask.view(memory), bitorder="little", count=dst.size).astype(bool)
    dst.view(memory)[...] = np.where(bits, a.view(memory), b.view(memory))


def do_reduce(memory, ufunc, dst, src, axis) -> None:
    """Reduce all elements, or each row, in float32."""
    values = src.view(memory).astype(np.float32)
    dst.view(memory)[...] = np.add.reduce(values, axis) if ufunc is np.add else values.max(axis)


def do_broadcast(memory, dst, src) -> None:
    """Repeat a vector over a matrix."""
    values = src.view(memory)
    dst.view(memory)[...] = values[:, None] if src.ndim == 1 else values


def do_gather(memory, dst, src, offsets) -> None:
    """Pick elements by byte offset; where no element begins, refuse, or give poison (`trial`).

    Raises
    ------
    AICoreError
        Of kind ``out_of_range`` or ``misaligned``.
    """
    at, item = offsets.view(memory), src.dtype.itemsize
    inside, whole = at < src.nbytes, at % item == 0
    if not memory.trial and not (inside & whole).all():
        kind, good = ("misaligned", whole) if inside.all() else ("out_of_range", inside)
        raise AICoreError(
            kind,
            "gather reads from an offset where no element of its source begins.",
            f"offset {int(at[~good][0])} of {src!r}, which has {src.nbytes} bytes",
            f"offsets count bytes: multiples of {item} below {src.nbytes}",
        )
    flat, known = src.view(memory).reshape(-1), inside & whole
    poison = np.full(item, 0xFF, np.uint8).view(src.dtype)
    dst.view(memory)[...] = np.where(known, flat[np.where(known, at // item, 0)], poison)


def do_transpose(memory, dst, src) -> None:
    """Exchange rows and columns."""
    dst.view(memory)[...] = src.view(memory).T


# what cannot be checked when it is issued
LOOKS_AT_VALUES = {do_gather}
