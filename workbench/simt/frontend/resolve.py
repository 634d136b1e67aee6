"""Names become what they are: indices, intrinsics, device calls and array accesses as nodes.

The result of `resolve` is the tree that every tier, the sanitizer and the inspector share. Beside
Python's own nodes it has three: `Index` (``threadIdx.x``), `Intrinsic` (a call of a CUDA name) and
`DeviceCall`; and every subscript that may touch an array carries a `Site`. A name is recognised by
the object it evaluates to, never by its spelling.

It refuses what no CUDA kernel may say (``import``, ``yield``, ``try``, ``with`` ...).
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
import enum
import linecache
from typing import Any

from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.intrinsics import GRID_GROUP_SYNC, IntrinsicName, Namespace
from workbench.simt.frontend.resolved import DeviceCall, Index, Intrinsic, Resolved, Site
from workbench.simt.frontend.source import MISSING, KernelSource, read

_REFUSED = {
    ast.Import: "import",
    ast.ImportFrom: "import",
    ast.Yield: "yield",
    ast.YieldFrom: "yield from",
    ast.Await: "await",
    ast.Try: "try",
    ast.With: "with",
    ast.ClassDef: "class",
    ast.AsyncFunctionDef: "async def",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Delete: "del",
}


def resolve(
    function: Any, parent: Resolved | None = None, bound: dict[str, Any] | None = None
) -> Resolved:
    """Read a Python function and resolve the names in it.

    Parameters
    ----------
    function : callable
        A plain Python function.
    parent : Resolved, optional
        The kernel that calls this device function: sites are numbered together.
    bound : dict, optional
        Parameters whose values are known: functions, types and constants handed on.

    Raises
    ------
    KernelSourceError
        Where the source is not there or says what no CUDA kernel may.
    """
    source = read(function)
    source.specialise(bound or {})
    result = Resolved(source, source.tree)
    if parent is not None:
        result.sites, result.device_functions = parent.sites, parent.device_functions
        result.device_functions[_key(function, bound or {})] = result
    for node in ast.walk(source.tree):
        if type(node) in _REFUSED:
            raise KernelSourceError(
                f"{source.name} says `{_REFUSED[type(node)]}`, which no CUDA kernel may.",
                _place(source, node),
                "keep it outside the kernel",
            )
    result.tree = _Resolver(result).visit(source.tree)
    return result


def device_function(value: Any) -> Any:
    """Return the Python function behind a device function, or None if `value` is none."""
    function = getattr(value, "__simt_function__", None)
    if function is not None:
        return function
    if hasattr(value, "py_func") and hasattr(value, "targetoptions"):  # a Numba dispatcher
        known = linecache.getline(value.py_func.__code__.co_filename, 1)
        return value.py_func if known else None  # without source Numba calls it as it is
    if hasattr(value, "_device") and hasattr(value, "fn"):  # Numba's own simulated device function
        return value.fn
    return None


def _is_static(value: Any) -> bool:
    import numba

    if value is MISSING:
        return False
    kinds = (IntrinsicName, numba.types.Type, type)
    return isinstance(value, kinds) or device_function(value) is not None


def _declares(function: Any) -> bool:
    """Return whether a function makes an array of its own."""
    return bool({"array", "array_like"} & set(function.__code__.co_names))


def _key(function: Any, bound: dict[str, Any]) -> Any:
    return function, tuple((name, id(value), repr(value)) for name, value in sorted(bound.items()))


def _place(source: KernelSource, node: ast.AST) -> str:
    line = getattr(node, "lineno", source.first_line)
    return f"{source.file_name}:{line}: {source.line(line).strip()}"


class _Resolver(ast.NodeTransformer):
    def __init__(self, result: Resolved):
        self.result, self.source = result, result.source
        self.locals = set(self.source.parameters) | {
            node.id
            for node in ast.walk(self.source.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        self.groups: set[str] = set()

    def value_of(self, node: ast.AST) -> Any:
        """Return what a chain of attributes on a free name means, or `MISSING`."""
        path = []
        while isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id in self.locals:
            return MISSING
        value = self.source.lookup(node.id)
        for name in reversed(path):
            value = getattr(value, name, MISSING)
            if value is MISSING:
                return MISSING
        return value

    def visit_Attribute(self, node: ast.Attribute):
        return self._index(node) or self.generic_visit(node)

    def visit_Name(self, node: ast.Name):
        return (isinstance(node.ctx, ast.Load) and self._index(node)) or node

    def _index(self, node: ast.expr):
        value = self.value_of(node)
        if isinstance(value, IntrinsicName) and value.kind == "index":
            result = Index()
            result.name = value.name
            return ast.copy_location(result, node)
        return None

    def visit_Expr(self, node: ast.Expr):
        self.generic_visit(node)
        if isinstance(node.value, Intrinsic) and node.value.intrinsic.kind == "group":
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Assign(self, node: ast.Assign):
        self.generic_visit(node)
        value = node.value
        if isinstance(value, Intrinsic) and value.intrinsic.kind == "group":
            self.groups |= {target.id for target in node.targets if isinstance(target, ast.Name)}
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Call(self, node: ast.Call):
        if self._is_group_sync(node.func):
            return self._intrinsic(node, GRID_GROUP_SYNC)
        value = self.value_of(node.func)
        if isinstance(value, IntrinsicName):
            return self._intrinsic(node, value)
        function = device_function(value)
        if function is not None:
            return self._device_call(node, function)
        self.generic_visit(node)
        return node

    def _is_group_sync(self, func: ast.expr) -> bool:
        if not (isinstance(func, ast.Attribute) and func.attr == "sync"):
            return False
        if isinstance(func.value, ast.Name):
            return func.value.id in self.groups
        if not isinstance(func.value, ast.Call):
            return False
        value = self.value_of(func.value.func)
        return isinstance(value, IntrinsicName) and value.kind == "group"

    def _intrinsic(self, node: ast.Call, intrinsic: IntrinsicName) -> Intrinsic:
        result = Intrinsic(
            [] if intrinsic.kind == "grid" else [self.visit(arg) for arg in node.args],
            [self.visit(keyword) for keyword in node.keywords],
        )
        result.intrinsic = intrinsic
        ast.copy_location(result, node)
        if intrinsic.kind == "atomic" and len(node.args) >= 2:
            text = f"{ast.unparse(node.args[0])}[{ast.unparse(node.args[1])}]"
            result.site = self._site(node, ast.unparse(node.args[0]), text, "atomic")
        self.result.synchronises |= intrinsic.synchronises
        self.result.shares |= intrinsic.name == "shared.array"
        return result

    def _device_call(self, node: ast.Call, function: Any) -> DeviceCall:
        parameters = read(function).parameters
        given = dict(zip(parameters, node.args, strict=False))
        values = {name: self.value_of(arg) for name, arg in given.items()}
        bound = {name: value for name, value in values.items() if _is_static(value)}
        if _declares(function):
            constants = {name: self._constant(arg) for name, arg in given.items()}
            bound.update({k: v for k, v in constants.items() if v is not MISSING})
        known = self.result.device_functions.get(_key(function, bound))
        callee = known or resolve(function, self.result, bound)
        args = [
            self.visit(arg)
            for k, arg in enumerate(node.args)
            if k >= len(parameters) or parameters[k] not in bound
        ]
        result = DeviceCall(args, [self.visit(keyword) for keyword in node.keywords])
        result.function = callee
        self.result.synchronises |= callee.synchronises
        self.result.shares |= callee.shares
        return ast.copy_location(result, node)

    def _constant(self, node: ast.expr) -> Any:
        """Return the value of an expression that every thread knows beforehand, or `MISSING`."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Tuple):
            parts = tuple(self._constant(part) for part in node.elts)
            return MISSING if MISSING in parts else parts
        value = self.value_of(node)
        return value if isinstance(value, (int, float, tuple)) else MISSING

    def visit_Subscript(self, node: ast.Subscript):
        value = self.value_of(node.value)
        if isinstance(value, enum.EnumType) and isinstance(node.slice, ast.Constant):
            member = ast.Attribute(node.value, str(node.slice.value), ast.Load())
            return ast.copy_location(member, node)
        text, array = ast.unparse(node), ast.unparse(node.value)
        self.generic_visit(node)
        shape = isinstance(node.value, ast.Attribute) and node.value.attr in ("shape", "strides")
        if not shape:
            kind = "load" if isinstance(node.ctx, ast.Load) else "store"
            node.site = self._site(node, array, text, kind)
        return node

    def _site(self, node: ast.expr, array: str, text: str, kind: str) -> Site:
        site = Site(
            len(self.result.sites) + 1,
            array,
            text,
            kind,
            self.source.file_name,
            node.lineno,
            node.col_offset,
        )
        self.result.sites.append(site)
        return site


__all__ = ["DeviceCall", "Index", "Intrinsic", "Namespace", "Resolved", "Site", "resolve"]
