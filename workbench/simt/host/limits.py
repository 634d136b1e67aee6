"""What a CUDA device accepts, checked before anything runs.

The numbers are those every CUDA device of compute capability 5.0 to 9.0 shares: CUDA C++
Programming Guide, section "Compute Capabilities", table "Technical Specifications per Compute
Capability". The engine could run more; code that a GPU refuses must not seem to work here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.simt.dim3 import Dim3
from workbench.simt.errors import LaunchConfigError

MAX_THREADS_PER_BLOCK = 1024
MAX_BLOCK_DIM = Dim3(1024, 1024, 64)
MAX_GRID_DIM = Dim3(2**31 - 1, 65535, 65535)
MAX_STATIC_SHARED_BYTES = 48 * 1024
MAX_DYNAMIC_SHARED_BYTES = 227 * 1024
WARP_SIZE = 32


def dim3(value: Any, what: str) -> Dim3:
    """Return a grid or block as three extents.

    Raises
    ------
    LaunchConfigError
        Where it is not one to three positive whole numbers.
    """
    parts = value if type(value) is tuple else (value,)
    if len(parts) <= 3 and all(type(part) is int and part > 0 for part in parts):
        return Dim3(*parts)  # nearly every launch, and it is on the way of each
    parts = tuple(value) if isinstance(value, (tuple, list, np.ndarray)) else (value,)
    good = 1 <= len(parts) <= 3 and all(
        isinstance(part, (int, np.integer)) and not isinstance(part, bool) for part in parts
    )
    if not good:
        raise LaunchConfigError(
            f"The {what} cannot be used.", repr(value), "one to three whole numbers"
        )
    if min(parts) < 1:
        raise LaunchConfigError(
            f"The {what} is empty.", repr(value), "at least 1 in every dimension"
        )
    return Dim3(*(int(part) for part in parts))


def check_launch(grid: Dim3, block: Dim3, dynamic_shared_bytes: int) -> None:
    """Raise `LaunchConfigError` where no CUDA device would start this launch."""
    if block.count > MAX_THREADS_PER_BLOCK:
        raise LaunchConfigError(
            f"A block has at most {MAX_THREADS_PER_BLOCK} threads.",
            f"{tuple(block)} = {block.count} threads",
            "make the block smaller and the grid larger",
        )
    for what, have, most in (("block", block, MAX_BLOCK_DIM), ("grid", grid, MAX_GRID_DIM)):
        if any(a > b for a, b in zip(have, most, strict=True)):
            raise LaunchConfigError(
                f"The {what} is too large.", f"{tuple(have)}", f"at most {tuple(most)}"
            )
    if dynamic_shared_bytes < 0 or dynamic_shared_bytes > MAX_DYNAMIC_SHARED_BYTES:
        raise LaunchConfigError(
            "That much dynamic shared memory cannot be had.",
            f"{dynamic_shared_bytes} bytes",
            f"0 to {MAX_DYNAMIC_SHARED_BYTES} bytes",
        )


def check_static_shared(nbytes: int, what: str) -> None:
    """Raise `LaunchConfigError` where a kernel declares more shared memory than a block has."""
    if nbytes > MAX_STATIC_SHARED_BYTES:
        raise LaunchConfigError(
            "The kernel declares more shared memory than a block has.",
            f"{what}: {nbytes} bytes",
            f"at most {MAX_STATIC_SHARED_BYTES} bytes; dynamic shared memory goes up to "
            f"{MAX_DYNAMIC_SHARED_BYTES}",
        )
