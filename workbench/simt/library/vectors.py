"""CUDA's vector types: ``float32x4`` and its kin, also under their C names (``float4``).

In a kernel a vector is a small record of numbers: ``v.x``, ``v.y``, ``v.z``, ``v.w``. A constructor
takes numbers and shorter vectors, as long as they fill it.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

_ELEMENTS = {
    "int8": "char",
    "int16": "short",
    "int32": "int",
    "int64": "longlong",
    "uint8": "uchar",
    "uint16": "ushort",
    "uint32": "uint",
    "uint64": "ulonglong",
    "float32": "float",
    "float64": "double",
}
_FIELDS = "xyzw"


def _make(element: str, length: int) -> Any:
    name = f"{element}x{length}"
    record = namedtuple(name, tuple(_FIELDS[:length]))
    convert = getattr(np, element)

    def constructor(*args):
        parts = [part for arg in args for part in (arg if isinstance(arg, tuple) else (arg,))]
        if len(parts) != length:
            raise TypeError(f"{name} takes {length} numbers, {len(parts)} given")
        return record(*(convert(part) for part in parts))

    constructor.__name__ = constructor.__qualname__ = name
    constructor.convert, constructor.record = convert, record

    @overload(constructor, strict=False)
    def _typed(*args):
        texts = []
        for k, arg in enumerate(args):
            if isinstance(arg, types.BaseTuple):
                texts += [f"convert(args[{k}][{j}])" for j in range(len(arg))]
            else:
                texts.append(f"convert(args[{k}])")
        if len(texts) != length:
            raise numba.errors.TypingError(f"{name} takes {length} numbers")
        scope = {"convert": convert, "record": record}
        exec(f"def build(*args):\n    return record({', '.join(texts)})", scope)
        return scope["build"]

    return constructor


VECTORS = {
    f"{element}x{length}": _make(element, length) for element in _ELEMENTS for length in range(1, 5)
}
_LONG = {"int64": "long", "uint64": "ulong"}
ALIASES = {
    f"{c_name}{length}": VECTORS[f"{element}x{length}"]
    for table in (_ELEMENTS, _LONG)
    for element, c_name in table.items()
    for length in range(1, 5)
}


def ours(value: object) -> object:
    """Return our vector type for Numba's stand-in of the same name; any other object as it is."""
    if str(getattr(value, "__module__", "")).startswith("numba.cuda"):
        return VECTORS.get(getattr(value, "__name__", ""), value)
    return value
