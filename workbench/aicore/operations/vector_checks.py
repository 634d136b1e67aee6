"""What the Vector unit's operations ask of their tensors: place, shapes and data types.

Which dtypes an operation has is a table (`DTYPES`), from the public Ascend C pages for the 910B
generation: a bfloat16 tensor, for one, can be cast and filled but not added.
"""

from __future__ import annotations

import reprlib
from functools import cache
from typing import Any

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.operations.movement import require_ub
from workbench.aicore.operations.tensors import LocalTensor

_FLOATS = ("float16", "float32")
_NUMBERS = (*_FLOATS, "int16", "int32")
# operation -> dtypes that the unit has for it
DTYPES = {
    **dict.fromkeys(("add", "sub", "mul", "max", "min", "adds", "muls", "maxs", "mins"), _NUMBERS),
    **dict.fromkeys(("div", "exp", "ln", "sqrt", "rsqrt", "reciprocal", "abs", "axpy"), _FLOATS),
    **dict.fromkeys(("reduce_sum", "reduce_max", "row_sum", "row_max", "select"), _FLOATS),
    "relu": (*_FLOATS, "int32"),
    "compare": (*_FLOATS, "int32"),
    "duplicate": (*_NUMBERS, "bfloat16", "uint32"),
    "broadcast": _FLOATS,
    "gather": (*_NUMBERS, "uint32"),
    "transpose": (*_FLOATS, "bfloat16", "int16", "int32"),
}


def same(name: str, *tensors: Any) -> None:
    """Require tensors of UB with one shape and one data type that the operation has."""
    require_ub(name, *tensors)
    shapes(name, *tensors)
    dtype_of(name, *tensors)


def shapes(name: str, *tensors: LocalTensor) -> None:
    """Require equal shapes."""
    if any(tensor.shape != tensors[0].shape for tensor in tensors):
        raise no_fit(name, *tensors)


def dtype_of(name: str, *tensors: LocalTensor) -> None:
    """Require one data type, and one that the unit has for this operation."""
    if any(tensor.dtype != tensors[0].dtype for tensor in tensors):
        raise AICoreError(
            "dtype", f"{name} needs one data type.", ", ".join(map(repr, tensors)), "cast first"
        )
    if not _has(name, tensors[0].dtype):
        raise AICoreError(
            "dtype",
            f"The Vector unit has no {name} for {tensors[0].dtype}.",
            repr(tensors[0]),
            f"cast to one of {', '.join(DTYPES[name])}",
        )


def number_of(name: str, scalar: Any) -> None:
    """Require one plain number."""
    if not isinstance(scalar, (int, float, np.number)):
        raise AICoreError(
            "shape", f"{name} takes one number.", reprlib.repr(scalar), "tensors go with add or mul"
        )


@cache
def _has(name: str, dtype: np.dtype) -> bool:
    return dtype.name in DTYPES[name]


def mask_of(name: str, mask: LocalTensor, like: LocalTensor) -> None:
    """Require a mask of one bit for each element."""
    if mask.dtype.name != "uint8" or mask.shape != (-(-like.size // 8),) or like.ndim != 1:
        raise AICoreError(
            "shape",
            f"{name} keeps one bit for each element of a vector, in uint8.",
            f"{mask!r} for {like!r}",
            f"a mask of {-(-like.size // 8)} bytes",
        )


def no_fit(name: str, *tensors: Any) -> AICoreError:
    """Return the error for shapes that do not fit."""
    return AICoreError(
        "shape", f"The shapes do not fit for {name}.", ", ".join(map(repr, tensors)), "slice them"
    )
