"""Which tier runs a launch. The user can see the choice, and force it.

The compiled tier runs whatever its regions can express. What they cannot (views that live across a
barrier, barriers over the whole grid, spin waits inside a block) goes to the step-through tier,
which can run anything, with the reason kept in ``kernel.reason``.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.registry import cpu_target

from workbench.errors import UnknownNameError
from workbench.simt import build, run, stepping
from workbench.simt.emit import PLAIN
from workbench.simt.errors import KernelSourceError
from workbench.simt.plan import Unplannable
from workbench.simt.resolve import Intrinsic, Resolved
from workbench.simt.thread import Dim3

# Numba loads its registries (half a second) at the first use: better here than in a launch.
cpu_target.target_context.refresh()

TIERS = ("auto", "compiled", "step-through")


class _Settings:
    """What holds for every launch: the forced tier, the time limit, a replacement launcher."""

    tier = "auto"
    time_limit_s: float | None = None
    instead: Any = None


SETTINGS = _Settings()


@contextmanager
def tier(name: str) -> Iterator[None]:
    """Run the launches inside the context on one tier.

    Parameters
    ----------
    name : {"auto", "compiled", "step-through"}
    """
    if name not in TIERS:
        raise UnknownNameError("tier", name, TIERS)
    before, SETTINGS.tier = SETTINGS.tier, name
    try:
        yield
    finally:
        SETTINGS.tier = before


def set_time_limit(seconds: float | None) -> None:
    """Stop every later launch that runs longer than this; None (the default) for no limit."""
    SETTINGS.time_limit_s = None if seconds is None else float(seconds)


@dataclass
class Specialisation:
    """A kernel for one list of argument types and one block shape.

    Attributes
    ----------
    compiled : build.Compiled or None
    reason : str
        Why it is not compiled.
    kinds : tuple
        The argument types, as Numba has them.
    """

    compiled: build.Compiled | None
    reason: str = ""
    kinds: tuple = ()


def signature_key(args: tuple) -> tuple:
    """Return what of the arguments decides their types, cheaply."""
    return tuple(
        (value.dtype, value.ndim, value.flags.num)
        if isinstance(value, np.ndarray)
        else (type(value), len(value) if isinstance(value, tuple) else 0)
        for value in args
    )


def specialise(kernel: Any, block: Dim3, args: tuple) -> Specialisation:
    """Return the kernel for these types and this block, compiling at first use."""
    key = (block, signature_key(args))
    found = kernel.specialisations.get(key)
    if found is None:
        found = _specialise(kernel, block, args)
        kernel.specialisations[key] = found
    return found


def _specialise(kernel: Any, block: Dim3, args: tuple) -> Specialisation:
    kinds = tuple(numba.typeof(value) for value in args)
    if _uses_half(kernel.resolved, kinds):
        return Specialisation(None, "Numba's CPU compiler has no float16", kinds)
    try:
        built = build.build(kernel.resolved, kinds, tuple(block), PLAIN)
        return Specialisation(built, kinds=kinds)
    except Unplannable as error:
        return Specialisation(None, f"{error.happened} ({error.saw})", kinds)


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


def launch(kernel: Any, configured: Any, args: tuple) -> None:
    """Run a launch on the tier that fits."""
    kernel.last_block = configured.block
    if SETTINGS.instead is not None:
        SETTINGS.instead(kernel, configured, args)
        return
    if SETTINGS.tier == "step-through":
        _step(kernel, configured, args, "asked for")
        return
    if not isinstance(kernel.resolved, Resolved):
        _step(kernel, configured, args, "the kernel has no source to compile")
        return
    found = specialise(kernel, configured.block, args)
    if found.compiled is None:
        if SETTINGS.tier == "compiled":
            raise KernelSourceError(
                f"{kernel.__name__} cannot run on the compiled tier.",
                found.reason,
                "leave the choice to the engine: cuda.tier('auto')",
            )
        _step(kernel, configured, args, found.reason)
        return
    kernel.last_tier, kernel.reason = "compiled", ""
    run.run(
        found.compiled,
        configured.grid,
        args,
        (),
        configured.shared_bytes,
        SETTINGS.time_limit_s,
    )


def _step(kernel: Any, configured: Any, args: tuple, reason: str) -> None:
    kernel.last_tier, kernel.reason = "step-through", reason
    poll = stepping.deadline(SETTINGS.time_limit_s)
    stepping.launch(
        kernel.resolved, configured.grid, configured.block, args, configured.shared_bytes, poll
    )
