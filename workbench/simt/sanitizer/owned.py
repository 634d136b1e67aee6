"""Arrays of which every thread touches its own elements only: they need no shadow.

The commonest kernel gives each element a thread: every access is written ``out[i]`` with
``i = cuda.grid(1)``, or ``out[row, col]`` with two axes of the grid. No two threads of the launch
can meet there, whatever the data, so watching the index is enough.
"""

# Syntax trees carry attributes of ours.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

from workbench.simt.codegen.linear import Linear, LinearReader, NotLinear
from workbench.simt.codegen.names import constant_integer
from workbench.simt.frontend.normal_form import Normal
from workbench.simt.frontend.resolved import Index, Intrinsic
from workbench.simt.frontend.source import MISSING
from workbench.simt.planning.analysis import writes


def owned_arrays(
    normal: Normal, arrays: tuple[str, ...], block: tuple, flat: tuple[bool, ...]
) -> set[str]:
    """Return the parameters whose every element belongs to one thread of the launch.

    Parameters
    ----------
    normal : Normal
    arrays : tuple of str
        The parameters that are arrays.
    block : tuple of int
    flat : tuple of bool
        For each axis, whether the grid is one block long.
    """
    reader = _reader(normal, block)
    needed = {k for k in range(3) if block[k] > 1 or not flat[k]}
    found: dict[str, set[tuple[int, ...] | None]] = {}
    for node in (inner for statement in normal.body for inner in ast.walk(statement)):
        if isinstance(node, ast.Subscript) and hasattr(node, "site"):
            name = getattr(node.value, "id", "")
            found.setdefault(name, set()).add(_axes(node, reader))
        elif isinstance(node, Intrinsic) and node.intrinsic.kind == "atomic":
            found.setdefault(getattr(node.args[0], "id", ""), set()).add(None)
    return {
        name for name in arrays
        if len(found.get(name, ())) == 1 and needed <= set(next(iter(found[name])) or (-1,))
    }  # fmt: skip


def _axes(node: ast.Subscript, reader: LinearReader) -> tuple[int, ...] | None:
    """Return which axis of the grid each index is, or None where one is something else."""
    indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    grid = [reader.grid(axis) for axis in range(3)]
    try:
        values = [reader.of(index) for index in indices]
    except NotLinear:
        return None
    if any(value not in grid for value in values):
        return None
    return tuple(grid.index(value) for value in values)


def _reader(normal: Normal, block: tuple) -> LinearReader:
    """Return a reader that knows the names that hold one value all along the kernel."""
    own = writes(normal.body) | set(normal.parameters) | {d.name for d in normal.declarations}

    def lookup(node: ast.Name) -> Any:
        if node.id in own:
            return MISSING
        return getattr(node, "scope", normal.resolved.source).lookup(node.id)

    reader = LinearReader(
        block, lambda name: False, lambda node: constant_integer(node, lookup, block),
        lambda name: False, _index_text,
    )  # fmt: skip
    nodes = [inner for statement in normal.body for inner in ast.walk(statement)]
    stores = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    for node in nodes:
        if isinstance(node, ast.Assign):
            for name, value in _pairs(node, reader):
                if stores.count(name) == 1 and name not in normal.parameters:
                    reader.names[name] = value
    return reader


def _pairs(node: ast.Assign, reader: LinearReader) -> list[tuple[str, Linear]]:
    target, value = node.targets[0], node.value
    is_grid = isinstance(value, Intrinsic) and value.intrinsic.name == "grid"
    try:
        if isinstance(target, ast.Name):
            return [(target.id, reader.of(value))]
        if isinstance(target, ast.Tuple) and is_grid:
            names = [getattr(part, "id", "") for part in target.elts]
            return [(name, reader.grid(axis)) for axis, name in enumerate(names)]
    except NotLinear:
        return []
    return []


def _index_text(node: Any) -> str:
    if not isinstance(node, Index):
        return "_gridsize"
    kind, _, axis = node.name.partition(".")
    return f"_{'b' if kind == 'blockIdx' else 'g'}{axis}"
