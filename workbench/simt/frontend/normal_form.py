"""The normal form of a function: one thing per statement, and the tools to build it."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from workbench.simt.frontend.intrinsics import IntrinsicName
from workbench.simt.frontend.resolved import Index, Intrinsic, Resolved, Site


class Sync(ast.stmt):
    """A synchronising operation: ``target = intrinsic(*args)``, all operands names or constants.

    Attributes
    ----------
    intrinsic : IntrinsicName
    target : str or None
        The name that receives the result.
    """

    _fields = ("args",)
    intrinsic: IntrinsicName
    target: str | None
    args: list


@dataclass(frozen=True)
class Declaration:
    """A shared, local or constant array.

    Attributes
    ----------
    name : str
        The kernel's name for it.
    kind : str
        ``"shared"``, ``"local"`` or ``"const"``.
    args : dict
        ``shape`` and ``dtype``, or ``array`` for a constant, as syntax trees.
    line : int
    """

    name: str
    kind: str
    args: dict[str, ast.expr]
    line: int


@dataclass
class Normal:
    """A function in normal form.

    Attributes
    ----------
    resolved : Resolved
    parameters : tuple of str
    body : list of ast.stmt
    declarations : list of Declaration
    sites : list of Site
        May have grown: an update of an element is two sites.
    """

    resolved: Resolved
    parameters: tuple[str, ...]
    body: list[ast.stmt]
    declarations: list[Declaration] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)


def deepcopy_tree(nodes: Any) -> Any:
    """Copy syntax trees but not the `Resolved` functions and sites they point to."""
    memo: dict[int, Any] = {}
    for node in nodes if isinstance(nodes, list) else [nodes]:
        for part in ast.walk(node):
            for name in ("function", "site", "intrinsic"):
                shared = getattr(part, name, None)
                if shared is not None:
                    memo[id(shared)] = shared
    return deepcopy(nodes, memo)


def load(name: str, like: ast.AST) -> ast.Name:
    """Return a read of a name, placed where `like` is."""
    return ast.copy_location(ast.Name(name, ast.Load()), like)


def assign(name: str, value: ast.expr, like: ast.AST) -> ast.Assign:
    """Return ``name = value``, placed where `like` is."""
    target = ast.copy_location(ast.Name(name, ast.Store()), like)
    return ast.copy_location(ast.Assign([target], value), like)


def is_simple(node: ast.AST) -> bool:
    """Return whether evaluating `node` later gives the same and costs nothing."""
    return isinstance(node, (ast.Name, ast.Constant, Index))


def published_operand(node: Intrinsic | Sync) -> int | None:
    """Return which operand of a barrier or warp operation the other threads read, if one.

    The mask of a `syncwarp` that may differ from lane to lane is one: whoever watches must know who
    met whom.
    """
    kind, count = node.intrinsic.kind, len(node.args)
    if kind == "block":
        return 0 if count else None
    if kind == "warp":
        if node.intrinsic.name == "syncwarp" and count:
            return None if isinstance(node.args[0], ast.Constant) else 0
        return 1 if count > 1 else None
    return None
