"""What may be handed to a kernel, and as what."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from workbench.errors import InputError
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.host.memory import host_view


def _parameters(resolved: Any) -> tuple[tuple[str, ...], str]:
    if isinstance(resolved, Resolved):
        return resolved.source.parameters, resolved.name
    return tuple(inspect.signature(resolved).parameters), resolved.__name__


def prepare(resolved: Any, args: tuple) -> tuple:
    """Return the arguments as kernels work on them.

    Raises
    ------
    InputError
        Where their number or a type does not fit.
    """
    names, name = _parameters(resolved)
    if len(args) != len(names):
        raise InputError(
            f"{name} takes {len(names)} arguments.",
            f"{len(args)} given",
            f"{name}[grid, block]({', '.join(names)})",
        )
    return tuple(_prepare(name, value) for name, value in zip(names, args, strict=True))


def _prepare(name: str, value: Any) -> Any:
    value = host_view(value)
    if isinstance(value, (list, str, dict)):
        raise InputError(
            f"The argument {name} cannot go to a kernel.",
            f"a {type(value).__name__}",
            "pass a NumPy array, a device array or a number",
        )
    if isinstance(value, np.ndarray) and value.dtype == object:
        raise InputError(
            f"The argument {name} cannot go to a kernel.",
            "an array of Python objects",
            "give it a numeric dtype",
        )
    return value
