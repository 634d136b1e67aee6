"""Calls a learner's kernel, and holds what it gives against what was declared.

A wrong shape of the right size would pass into the next operator as wrong numbers: it is refused
here, by the kernel's name, as is a kernel that raises. It refuses to reshape anything itself.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from workbench.errors import KernelError, WorkbenchError


def call_kernel(name: str, function: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
    """Return a kernel's results as a tuple.

    Raises
    ------
    KernelError
        Where the kernel raises: its name, the exception's type and its words.
    """
    try:
        results = function(*arguments)
    except WorkbenchError:
        raise
    except Exception as cause:
        where = traceback.extract_tb(cause.__traceback__)[-1]
        raise KernelError(
            f"The kernel {name!r} raised {type(cause).__name__}.",
            f"{cause} ({where.name}, line {where.lineno})",
            "call the kernel by itself on small arrays of the same shapes",
        ) from cause
    return results if isinstance(results, tuple) else (results,)


def require_shape(name: str, result: Any, wanted: Sequence[int]) -> None:
    """Raise where a result has another shape than declared; -1 in `wanted` is any size.

    Raises
    ------
    KernelError
        Naming the kernel, the shape that it gave and the one that was declared.
    """
    given = np.shape(result)
    fits = len(given) == len(wanted) and all(
        want < 0 or want == size for want, size in zip(wanted, given, strict=True)
    )
    if not fits:
        said = ", ".join("?" if size < 0 else str(int(size)) for size in wanted)
        raise KernelError(
            f"The kernel {name!r} returned the wrong shape.",
            f"{given}, where ({said}) is declared",
            "look at the attributes: pads, strides and transpositions decide the shape",
        )
