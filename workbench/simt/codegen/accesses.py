"""Accesses to arrays as the generated module says them: proven, checked, or views."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from typing import Any

from numba import types

from workbench.simt.codegen.intervals import inside
from workbench.simt.codegen.trees import expression, flattened, is_field
from workbench.simt.frontend.normal_form import deepcopy_tree
from workbench.simt.planning.nodes import Unplannable


class Accesses:
    """The part of the translator that writes accesses to arrays."""

    def visit_Subscript(self, node: ast.Subscript):
        """Write a load, or a view."""
        if not hasattr(node, "site") or isinstance(node.ctx, ast.Store) or is_field(node):
            return self.generic_visit(node)
        node = flattened(node, self.kinds)
        kind = self.kinds.get(getattr(node.value, "id", ""))
        indices = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if kind is not None and not isinstance(kind, (types.Array, types.Record)):
            return self.generic_visit(node)
        if any(isinstance(part, (ast.Slice, ast.Starred)) for part in indices):
            return self._view(node, indices)
        if isinstance(kind, types.Array) and self._is_row(kind, node.slice, indices):
            return self._view(node, indices)
        proven = self._proven(node, kind, indices)
        array, index = ast.unparse(self.visit(node.value)), ast.unparse(self.visit(node.slice))
        if proven:
            return expression(f"load_proven({array}, {index})")
        return expression(self.mode.load(node.site, array, index))

    def _is_row(self, kind: types.Array, index: ast.expr, indices: list[ast.expr]) -> bool:
        """Whether whole numbers pick a part of an array; a name may hold a tuple."""
        if len(indices) >= kind.ndim:
            return False
        if not isinstance(index, ast.Name):
            return True
        return isinstance(self.kinds.get(index.id), types.Integer)

    def _view(self, node: ast.Subscript, indices: list[ast.expr]):
        """Part of an array: every plain index is checked, slices are clipped by Numba."""
        array = self.visit(node.value)
        base = ast.unparse(array)
        parts = []
        for axis, part in enumerate(indices):
            if isinstance(part, (ast.Slice, ast.Constant)) and not isinstance(part, ast.Constant):
                parts.append(self.generic_visit(part))
            elif isinstance(self.kinds.get(getattr(part, "id", "")), types.BaseTuple):
                parts.append(self.visit(part))
            else:
                at = ast.unparse(self.visit(part))
                place = f"{node.site.number}, _t, _blk, _ctrl"
                parts.append(expression(f"row_checked({at}, {base}.shape[{axis}], {place})"))
        index = parts[0] if len(parts) == 1 else ast.Tuple(parts, ast.Load())
        return ast.Subscript(array, index, ast.Load())

    def _proven(self, node: ast.Subscript, kind: Any, indices: list[ast.expr]) -> bool:
        """Return whether the access needs no check, noting what must hold for that."""
        array = getattr(node.value, "id", "")
        known = isinstance(kind, types.Array) and self.mode.hoists and self._is_given(array)
        if not known or len(indices) != kind.ndim or isinstance(kind.dtype, types.Record):
            return False
        tests = []
        for axis, index in enumerate(indices):
            interval = self.ranges.of(index)
            shape = self.shapes.get(array)
            extent = shape[axis] if shape else None
            text = str(extent) if shape else f"{array}.shape[{axis}]"
            test = None if interval is None else inside(interval, extent, text)
            if test is None:
                self.unchecked += 1
                return False
            tests += [test] if test else []
        if tests and not self.fast:
            return False
        self.tests.update(dict.fromkeys(tests))
        return True

    def _refuse_text(self, statement: ast.Assign) -> None:
        value = statement.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            raise Unplannable(
                "Numba stores no text into a field of a record.",
                f"line {statement.lineno}",
                "another tier runs it",
            )

    def _store(self, target: ast.Subscript, value: ast.expr) -> None:
        target = flattened(deepcopy_tree(target), self.kinds)
        indices = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
        kind = self.kinds.get(getattr(target.value, "id", ""))
        sliced = any(isinstance(part, ast.Slice) for part in indices)
        record = isinstance(kind, types.Array) and isinstance(kind.dtype, types.Record)
        text = self.text(value)
        partial = isinstance(kind, types.Array) and self._is_row(kind, target.slice, indices)
        if sliced or record or partial or (kind is not None and not isinstance(kind, types.Array)):
            view = self._view(target, indices) if not record else self.generic_visit(target)
            self.out(f"{ast.unparse(ast.fix_missing_locations(view))} = {text}")
            return
        proven = self._proven(target, kind, indices)
        array, index = self.text(target.value), self.text(target.slice)
        if proven:
            self.out(f"store_proven({array}, {index}, {text})")
        else:
            self.out(*self.mode.store(target.site, array, index, text))
