"""What the free names of a kernel mean in the generated module, and what they do to its key.

Plain numbers become literals, modules and importable functions become imports, so that the module
is a real file that Numba can cache on disk. Arrays come in as hidden arguments. What can be neither
written nor imported is handed over as an object, and the module is then not cached.
"""

from __future__ import annotations

import ast
import importlib
import math
import types as python_types
from typing import Any

import numba
import numpy as np

from workbench.simt.errors import KernelSourceError, KernelTypingError
from workbench.simt.frontend.source import MISSING, KernelSource

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


class Names:
    """The header of a generated module.

    Attributes
    ----------
    header : dict
        Name -> line of source that defines it.
    objects : dict
        Name -> object handed over, which keeps the module off the disk.
    arrays : dict
        Name -> NumPy array that becomes a hidden argument.
    """

    def __init__(self) -> None:
        self.header: dict[str, str] = {}
        self.objects: dict[str, Any] = {}
        self.arrays: dict[str, np.ndarray] = {}
        self._known: dict[str, tuple[str, Any]] = {}

    def value(self, name: str, source: KernelSource) -> Any:
        """Return what a free name means, or raise where it means nothing."""
        found = source.lookup(name)
        if found is MISSING:
            raise KernelTypingError(
                f"The name {name!r} is not defined.",
                f"in {source.name}, {source.file_name}:{source.first_line}",
                "define it, or pass it as an argument",
            )
        return found

    def use(self, name: str, source: KernelSource) -> str:
        """Return the name under which the generated module knows a free name."""
        value = self.value(name, source)
        known = self._known.get(name)
        if known is not None and known[1] is not value and not _equal(known[1], value):
            name = f"{name}__{source.name}"
            known = self._known.get(name)
        if known is None:
            self._known[name] = (name, value)
            self._define(name, value)
        return name

    def _define(self, name: str, value: Any) -> None:
        line = _as_source(name, value)
        if line is not None:
            if line:
                self.header[name] = line
        elif isinstance(value, np.ndarray):
            self.arrays[name] = value
        else:
            self.objects[name] = value

    def text(self) -> str:
        """Return the header as source."""
        return "\n".join(self.header[name] for name in sorted(self.header))


def _equal(a: Any, b: Any) -> bool:
    return isinstance(a, _PLAIN) and type(a) is type(b) and a == b


def _as_source(name: str, value: Any) -> str | None:
    """Return a line that defines the name, "" for a builtin, None where there is no such line."""
    if isinstance(value, _PLAIN):
        return f"{name} = {_literal(value)}"
    if isinstance(value, np.generic) and value.dtype.kind in "biuf":
        return f"{name} = np.{value.dtype.name}({_literal(value.item())})"
    if isinstance(value, tuple) and all(isinstance(part, _PLAIN) for part in value):
        return f"{name} = {value!r}"
    if isinstance(value, python_types.ModuleType):
        return f"import {value.__name__} as {name}"
    if isinstance(value, numba.types.Type):
        found = getattr(numba.types, str(value), None)
        return f"{name} = numba.types.{value}" if found is value else None
    module, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if module == "builtins" and qualified == name:
        return ""
    return _import_line(name, value, module, qualified)


def _import_line(name: str, value: Any, module: Any, qualified: Any) -> str | None:
    if not isinstance(value, (type, np.ufunc, python_types.BuiltinFunctionType)):
        return None
    qualified = qualified or getattr(value, "__name__", None)
    module = module or ("numpy" if isinstance(value, np.ufunc) else None)
    if not module or not qualified or "." in qualified or module == "__main__":
        return None
    try:
        found = getattr(importlib.import_module(module), qualified, None)
    except ImportError:
        return None
    return f"from {module} import {qualified} as {name}" if found is value else None


def _literal(value: Any) -> str:
    if isinstance(value, float) and not np.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)


def is_math(function: ast.AST, lookup: Any) -> bool:
    """Return whether a called expression is a function of `math`."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return lookup(function.value) is math
    value = lookup(function) if isinstance(function, ast.Name) else None
    return getattr(value, "__module__", "") == "math"


def constant_integer(node: ast.AST, lookup: Any, block: tuple[int, ...]) -> int | None:
    """Return the value of an expression of plain integers, or None.

    Parameters
    ----------
    node : ast.AST
    lookup : callable
        ``lookup(name_node)`` -> value of a free name, or `MISSING`.
    block : tuple of int
        The block's extents, which are constants too.
    """
    from workbench.simt.frontend.resolved import Index

    if isinstance(node, ast.Constant):
        return node.value if type(node.value) is int else None
    if isinstance(node, ast.Name):
        value = lookup(node)
        return int(value) if isinstance(value, (int, np.integer)) else None
    if isinstance(node, Index):
        if node.name == "warpsize":
            return 32
        kind, _, axis = node.name.partition(".")
        return block["xyz".index(axis)] if kind == "blockDim" else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = constant_integer(node.operand, lookup, block)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and type(node.op) in _FOLDED:
        left = constant_integer(node.left, lookup, block)
        right = constant_integer(node.right, lookup, block)
        return None if left is None or right is None else _FOLDED[type(node.op)](left, right)
    return None


def _divide(a: int, b: int) -> int | None:
    return a // b if b else None


_FOLDED = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: _divide,
    ast.LShift: lambda a, b: a << b if 0 <= b < 63 else None,
    ast.RShift: lambda a, b: a >> b if b >= 0 else None,
    ast.Pow: lambda a, b: a**b if 0 <= b < 63 else None,
    ast.Mod: lambda a, b: a % b if b else None,
}


def _only_value(name: str, source: KernelSource) -> Any:
    """Return the literal that a local name is given at the one place that sets it, or `MISSING`."""
    nodes = list(ast.walk(source.tree))
    stores = [
        node
        for node in nodes
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    values = [
        node.value.value
        for node in nodes
        if isinstance(node, ast.Assign)
        and len(node.targets) == 1
        and node.targets[0] in stores
        and isinstance(node.value, ast.Constant)
    ]
    return values[0] if len(stores) == len(values) == 1 else MISSING


def evaluate(node: ast.expr, source: KernelSource) -> Any:
    """Evaluate a shape or dtype in the kernel's own names, now.

    Raises
    ------
    KernelSourceError
        Where it depends on something a kernel only knows as it runs.
    """
    scope: dict[str, Any] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            where = getattr(part, "scope", source)
            found = where.lookup(part.id)
            if found is MISSING:
                found = _only_value(part.id, where)
            if found is MISSING or part.id in where.parameters:
                raise KernelSourceError(
                    "A shared or local array needs a shape and a dtype that are constants.",
                    f"{part.id} in {ast.unparse(node)}",
                    "use a literal or a global; dynamic shared memory has shape 0",
                )
            scope[part.id] = found
    from workbench.simt.frontend.resolved import Index

    if any(isinstance(part, Index) for part in ast.walk(node)):
        raise KernelSourceError(
            "A shared or local array needs a shape that is a constant.",
            "a thread index or block dimension in it",
            "use a literal or a global; dynamic shared memory has shape 0",
        )
    expression = ast.Expression(ast.fix_missing_locations(node))
    return eval(compile(expression, source.file_name, "eval"), scope)
