"""A kernel as plain data, so that another process can build it on the real ``numba.cuda``."""

from __future__ import annotations

import ast
import inspect
import pickle
import textwrap
import types
from dataclasses import dataclass
from typing import Any

from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.intrinsics import IntrinsicName, Namespace
from workbench.simt.frontend.resolve import device_function
from workbench.simt.frontend.source import MISSING, read


@dataclass(frozen=True)
class PortableFunction:
    """One function.

    Attributes
    ----------
    name, file_name : str
    text : str
        Its source without indentation.
    first_line : int
        Line of `text` in the file.
    names : dict of str to tuple
        What its free names mean: ``("cuda", dotted name)``, ``("module", name)``,
        ``("function", key)`` of another function here, or ``("value", pickled bytes)``.
    """

    name: str
    file_name: str
    text: str
    first_line: int
    names: dict[str, tuple[str, Any]]


def portable(function: Any) -> list[PortableFunction]:
    """Return a kernel and every device function it reaches, callees first.

    Raises
    ------
    KernelSourceError
        Where the kernel uses an object that another process cannot have.
    """
    done: dict[Any, int] = {}
    found: list[PortableFunction] = []

    def visit(one: Any) -> int:
        if one in done:
            return done[one]
        source = read(one)
        names = {}
        for name in sorted(_free_names(source.tree) - set(source.parameters)):
            value = source.lookup(name)
            if value is not MISSING:
                names[name] = _meaning(source, name, value, visit)
        lines, first = inspect.getsourcelines(one)
        text = textwrap.dedent("".join(lines))
        found.append(PortableFunction(source.name, source.file_name, text, first, names))
        done[one] = len(found) - 1
        return done[one]

    visit(function)
    return found


def _free_names(tree: ast.AST) -> set[str]:
    return {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }


def _meaning(source: Any, name: str, value: Any, visit: Any) -> tuple[str, Any]:
    if isinstance(value, IntrinsicName):
        return "cuda", value.name
    if isinstance(value, Namespace):
        return "cuda", value._name
    if isinstance(value, types.ModuleType):
        return ("cuda", "") if _is_ours(value) else ("module", value.__name__)
    function = device_function(value)
    if function is not None:
        return "function", visit(function)
    try:
        return "value", pickle.dumps(value)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise KernelSourceError(
            f"{source.name} cannot be compiled in another process.",
            f"{name} is a {type(value).__name__}: {error}",
            "use numbers, arrays, modules and device functions in the kernel",
        ) from error


def _is_ours(module: types.ModuleType) -> bool:
    return module.__name__ in ("workbench.simt.cuda", "workbench.cuda", "numba.cuda")
