"""Dtypes as kernels write them, and memory as a GPU hands it out: full of somebody's leftovers.

Kernels name types the way Numba does (`float32`, `numba.types.int8`, `np.float64`, ``"float32"``,
a record dtype); here each becomes a NumPy dtype.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.simt.errors import KernelTypingError

POISON_BYTE = 0xFF
"""Fills fresh memory: NaN for floats, -1 for signed integers, so that a stale read is seen."""


def as_dtype(value: Any) -> np.dtype:
    """Return the NumPy dtype of a Numba type, a NumPy dtype or type, or a name.

    Raises
    ------
    KernelTypingError
        Where it names no type that an array can hold.
    """
    import numba

    if isinstance(value, numba.types.Type):
        from numba.np.numpy_support import as_dtype as numba_as_dtype

        try:
            return np.dtype(numba_as_dtype(value))
        except (NotImplementedError, numba.core.errors.NumbaError) as error:
            raise _no_dtype(value) from error
    try:
        return np.dtype(value)
    except TypeError as error:
        raise _no_dtype(value) from error


def _no_dtype(value: Any) -> KernelTypingError:
    return KernelTypingError(
        "An array cannot hold this type.",
        repr(value),
        "name a type such as float32, int32 or a record dtype",
    )


def poisoned_array(shape: Any, dtype: Any) -> np.ndarray:
    """Return fresh memory with every byte `POISON_BYTE`."""
    dtype = np.dtype(dtype)
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (int(shape),)
    count = int(np.prod(shape)) * dtype.itemsize
    return np.full(count, POISON_BYTE, np.uint8).view(dtype).reshape(shape)
