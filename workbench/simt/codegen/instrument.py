"""What the modes of code generation for the sanitizer and the inspector have in common."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from workbench.simt.codegen.raw import NUMBERS
from workbench.simt.frontend.normal_form import Normal, deepcopy_tree
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Resolved

_SPACES = {"shared": "shared", "local": "local", "const": "plain"}


class Unwatchable(Exception):
    """Compiled code cannot be instrumented for the kernel; the tracer can run it."""


def stamp_of(folder: Path) -> str:
    """Return what changes with the modules of a folder: generated code on disk depends on them."""
    return repr([(one.name, one.stat().st_mtime_ns) for one in sorted(folder.glob("*.py"))])


def declared_spaces(normal: Normal) -> dict[str, str]:
    """Return the arrays that a kernel declares, with where they live."""
    return {one.name: _SPACES[one.kind] for one in normal.declarations}


def with_arrays_in_sight(resolved: Resolved, arithmetic: bool = False) -> Resolved:
    """Return a copy in which device functions that touch arrays will be inlined.

    An access can be watched only where the name of its array is known, which in a function that is
    called with several arrays it is not. With `arithmetic` all device functions will be.
    """
    copies: dict[int, Resolved] = {}

    def copied(one: Resolved) -> Resolved:
        if id(one) not in copies:
            new = copies[id(one)] = replace(one, tree=deepcopy_tree(one.tree))
            calls = [node for node in ast.walk(new.tree) if isinstance(node, DeviceCall)]
            for call in calls:
                call.function = copied(call.function)
            touches = any(hasattr(node, "site") for node in ast.walk(new.tree))
            new.inlined = arithmetic or touches or any(call.function.inlined for call in calls)
        return copies[id(one)]

    result = copied(resolved)
    result.device_functions = {key: copied(one) for key, one in resolved.device_functions.items()}
    result.inlined = False
    return result


def refuse_hints(resolved: Resolved) -> None:
    """Refuse kernels that give the caches hints.

    Raises
    ------
    Unwatchable
    """
    for one in (resolved, *resolved.device_functions.values()):
        for node in ast.walk(one.tree):
            if isinstance(node, Intrinsic) and node.intrinsic.name.startswith(("ld", "st")):
                raise Unwatchable(f"cuda.{node.intrinsic.name} is not watched at compiled speed")


def refuse_declared(name: str, dtype: Any) -> None:
    """Refuse arrays that a kernel makes of anything but numbers.

    Raises
    ------
    Unwatchable
    """
    if str(dtype) not in NUMBERS:
        raise Unwatchable(f"{name} holds {dtype}, not plain numbers")


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
