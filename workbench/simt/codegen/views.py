"""Which names stand for parts of which array: ``row = out[3]``, ``tail = s[n:]``, ``t = a.T``.

An access through such a name is an access to the array behind it, and is watched there. A name that
stands for parts of different arrays, or for the same bytes as another type, is not followed.
"""

# Syntax trees carry attributes of ours.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

from workbench.simt.codegen.declared import declared_arrays
from workbench.simt.codegen.instrument import Unwatchable
from workbench.simt.codegen.names import Names
from workbench.simt.frontend.normal_form import Normal

_SAME_MEMORY = ("reshape", "ravel")


def view_roots(normal: Normal, ranks: dict[str, int]) -> dict[str, str]:
    """Return the array behind every other name through which a kernel touches memory.

    Parameters
    ----------
    normal : Normal
    ranks : dict of str to int
        Dimensions of the array parameters.

    Raises
    ------
    Unwatchable
        Where a name may stand for several arrays, or parts are filled whole.
    """
    return _Views(normal, ranks).roots()


class _Views:
    def __init__(self, normal: Normal, ranks: dict[str, int]):
        self.ranks, self.aliases = dict(ranks), {}
        declared = declared_arrays(normal, Names())
        for one in declared:
            self.ranks[one.name] = len(one.shape)
        dynamic = [one for one in declared if one.dynamic]
        if len({str(one.element) for one in dynamic}) > 1:
            raise Unwatchable("dynamic shared memory is used as more than one type")
        self.aliases.update({one.name: dynamic[0].name for one in dynamic[1:]})
        self.nodes = [part for one in normal.body for part in ast.walk(one)]
        self.touched = {node.site.array for node in self.nodes if hasattr(node, "site")}
        self.values: dict[str, list[Any]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Assign):
                self._note(node.targets[0], node.value)

    def _note(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self.values.setdefault(target.id, []).append(value)
        elif isinstance(target, ast.Tuple):
            parts = value.elts if isinstance(value, ast.Tuple) else [value] * len(target.elts)
            for one, part in zip(target.elts, parts, strict=True):
                self._note(one, part)

    def roots(self) -> dict[str, str]:
        found = dict(self.aliases)
        for name in self.touched - set(self.ranks):
            root = self._root(name, ())
            if root is None:
                raise Unwatchable(f"{name} is another name for memory that is not followed")
            found[name] = root
        self._refuse_fills(found)
        return found

    def _root(self, name: str, seen: tuple[str, ...]) -> str | None:
        if name in self.ranks:
            return self.aliases.get(name, name)
        if name in seen or name not in self.values:
            return None
        roots = {self._behind(value, (*seen, name)) for value in self.values[name]}
        return roots.pop() if len(roots) == 1 else None

    def _behind(self, value: ast.expr, seen: tuple[str, ...]) -> str | None:
        """Return the array of which an expression is a part."""
        if isinstance(value, ast.Name):
            return self._root(value.id, seen)
        if isinstance(value, ast.Subscript):
            return self._behind(value.value, seen)
        if isinstance(value, ast.Attribute) and value.attr == "T":
            return self._behind(value.value, seen)
        if isinstance(value, ast.Call) and getattr(value.func, "attr", "") in _SAME_MEMORY:
            return self._behind(value.func.value, seen)
        return None

    def _refuse_fills(self, roots: dict[str, str]) -> None:
        for node in self.nodes:
            if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Store):
                continue
            indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            rank = self.ranks.get(getattr(node.value, "id", ""), len(indices))
            named = isinstance(node.slice, ast.Name)  # may hold a tuple
            if any(isinstance(part, ast.Slice) for part in indices):
                raise Unwatchable("a part of an array is filled whole")
            if len(indices) < rank and not named:
                raise Unwatchable("a row of an array is filled whole")
