"""Arrays that a kernel declares: their shapes and types, and the source that makes them."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types
from numba.np.numpy_support import from_dtype

from workbench.simt.codegen.names import Names, evaluate
from workbench.simt.frontend.normal_form import Normal
from workbench.simt.host import limits
from workbench.simt.planning.nodes import Unplannable
from workbench.simt.types import as_dtype

STACK_BYTES = 192 * 1024
"""Arrays of a block beyond this live on the heap."""


@dataclass
class DeclaredArray:
    """An array that a kernel declares, with its shape and dtype known."""

    name: str
    kind: str
    shape: tuple[int, ...]
    element: Any
    line: int

    @property
    def dynamic(self) -> bool:
        """Whether it is the dynamic shared memory."""
        return self.kind == "shared" and self.shape == (0,)

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return int(np.prod(self.shape)) * itemsize_of_type(self.element)

    @property
    def array_type(self) -> types.Array:
        """Its Numba type."""
        return types.Array(self.element, len(self.shape), "C")


def declared_arrays(normal: Normal, names: Names) -> list[DeclaredArray]:
    """Evaluate the declarations of a function.

    Raises
    ------
    KernelSourceError, LaunchConfigError
        Where a shape is no constant, or shared memory is more than a block has.
    """
    found: list[DeclaredArray] = []
    source = normal.resolved.source
    for one in normal.declarations:
        if one.kind == "const":
            value = np.asarray(evaluate(one.args["array"], source))
            names.arrays[one.name] = value
            found.append(DeclaredArray(one.name, "const", value.shape, None, one.line))
            continue
        shape = evaluate(one.args["shape"], source)
        shape = tuple(int(n) for n in shape) if isinstance(shape, (tuple, list)) else (int(shape),)
        dtype = evaluate(one.args["dtype"], source)
        element = dtype if isinstance(dtype, types.Type) else from_dtype(as_dtype(dtype))
        array = DeclaredArray(one.name, one.kind, shape, element, one.line)
        same = [other for other in found if other.name == one.name]
        if any((o.shape, o.element, o.kind) != (shape, element, array.kind) for o in same):
            raise Unplannable(
                "One name stands for two different arrays.",
                f"{one.name} at line {one.line}",
                "give each array its own name",
            )
        found += [] if same else [array]
    shared = [one for one in found if one.kind == "shared"]
    total = sum(one.nbytes for one in shared)
    limits.check_static_shared(total, ", ".join(f"{o.name}{list(o.shape)}" for o in shared))
    return found


def itemsize_of_type(element: types.Type) -> int:
    """Return the bytes of one element."""
    return as_dtype(element).itemsize


def make_array(one: DeclaredArray, leading: int = 0, of: str = "") -> str:
    """Return an expression that makes a declared array, on the stack where it is small."""
    shape = (leading, *one.shape) if leading else one.shape
    nbytes = int(np.prod(shape)) * itemsize_of_type(one.element)
    if nbytes > STACK_BYTES:
        return f"np.empty({shape!r}, {dtype_text(one.element)})"
    return f"make_{of}{one.name}()"


def maker(one: DeclaredArray, leading: int = 0, of: str = "") -> str:
    """Return the header line for `make_array`."""
    shape = (leading, *one.shape) if leading else one.shape
    return f"make_{of}{one.name} = block_array({shape!r}, {dtype_text(one.element)})"


def dtype_text(element: types.Type) -> str:
    """Return a NumPy dtype as source text."""
    dtype = as_dtype(element)
    if dtype.names or dtype.kind in "VMm":
        return f"np.dtype({dtype.descr!r}, align={dtype.isalignedstruct})"
    return f"np.{'bool_' if dtype.kind == 'b' else dtype.name}"
