"""What the modes of code generation for the sanitizer and the inspector have in common."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np

from workbench.simt.raw import NUMBERS
from workbench.simt.resolve import Intrinsic, Resolved

_SPACES = {"shared.array": "shared", "local.array": "local", "const.array_like": "plain"}


class Unwatchable(Exception):
    """Compiled code cannot be instrumented for the kernel; the tracer can run it."""


def stamp_of(folder: Path) -> str:
    """Return what changes with the modules of a folder: generated code on disk depends on them."""
    return repr([(one.name, one.stat().st_mtime_ns) for one in sorted(folder.glob("*.py"))])


def declared_spaces(resolved: Resolved) -> dict[str, str]:
    """Return the arrays that a kernel declares, with where they live."""
    found = {}
    for node in ast.walk(resolved.tree):
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign) and isinstance(value, Intrinsic):
            space = _SPACES.get(value.intrinsic.name)
            for target in node.targets:
                if space and isinstance(target, ast.Name):
                    found[target.id] = space
    return found


def refuse_unnamed(resolved: Resolved) -> None:
    """Refuse kernels in which one name does not stand for one array.

    Raises
    ------
    Unwatchable
    """
    for one in resolved.device_functions.values():
        if any(hasattr(node, "site") for node in ast.walk(one.tree)):
            raise Unwatchable(f"the device function {one.name} touches an array")
    for node in ast.walk(resolved.tree):
        if isinstance(node, ast.Slice):
            raise Unwatchable("a slice is another name for the same memory")
        if isinstance(node, Intrinsic) and node.intrinsic.name.startswith(("ld", "st")):
            raise Unwatchable(f"cuda.{node.intrinsic.name} is not watched at compiled speed")


def refuse_arguments(named: dict[str, Any]) -> None:
    """Refuse arguments whose elements have no number in row-major order.

    Raises
    ------
    Unwatchable
    """
    for name, one in named.items():
        if isinstance(one, tuple):
            raise Unwatchable(f"{name} is a tuple")
        if not isinstance(one, np.ndarray):
            continue
        if one.dtype.name not in NUMBERS or not one.flags.c_contiguous:
            raise Unwatchable(f"{name} is no contiguous array of numbers")
        if not one.flags.aligned:
            raise Unwatchable(f"{name} is misaligned")
