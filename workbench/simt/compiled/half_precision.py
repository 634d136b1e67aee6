"""Which kernels need float16 from Numba's compiler, which has none until it is taught."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
import importlib

import numpy as np
from numba import types

from workbench.simt.frontend.resolved import Intrinsic, Resolved


def teach(resolved: Resolved, kinds: tuple) -> None:
    """Teach Numba float16 where a kernel or the types of its arguments name it."""
    if _uses_half(resolved, kinds):
        importlib.import_module("workbench.simt.runtime.half_functions")


def _uses_half(resolved: Resolved, kinds: tuple) -> bool:
    if any(getattr(kind, "dtype", kind) == types.float16 for kind in kinds):
        return True
    trees = [resolved, *resolved.device_functions.values()]
    for one in trees:
        for node in ast.walk(one.tree):
            if isinstance(node, Intrinsic) and node.intrinsic.name.startswith("fp16."):
                return True
            value = one.source.lookup(node.id) if isinstance(node, ast.Name) else None
            if value is types.float16 or value is np.float16:
                return True
    return False
