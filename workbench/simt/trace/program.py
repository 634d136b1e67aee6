"""A kernel with all its device functions, ready for traced threads to run."""

from __future__ import annotations

import ast
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.resolved import Intrinsic, Resolved, Site
from workbench.simt.trace import values
from workbench.simt.trace.arrays import constant_memory
from workbench.simt.trace.rewrite import Rewriter

_HELPERS = {
    "_divide": values.divide,
    "_floor_divide": values.floor_divide,
    "_modulo": values.modulo,
    "_power": values.power,
    "_wrap": values.wrap,
    "_cast": values.cast,
    "_viewed": values.viewed,
    "_math": values.ieee_math,
}


class Program:
    """The rewritten form of a kernel.

    Parameters
    ----------
    resolved : Resolved
        The front end's result; left unchanged.
    counting : bool
        Whether loops and arithmetic report to the observer (the inspector needs it).
    remember : bool
        Whether threads hand over their local names when they leave.

    Attributes
    ----------
    start : callable
        ``start(thread, *arguments)`` returns the generator of one thread.
    sites : list of Site
        Every place that can be seen: the front end's, then those of waits, calls and returns.
    resident : bool
        Whether threads may wait for threads of other blocks, so that all blocks run at once.
    """

    def __init__(self, resolved: Resolved, counting: bool = False, remember: bool = False):
        self.resolved, self.counting, self.remember = resolved, counting, remember
        self.sites: list[Site] = list(resolved.sites)
        self.resident = False
        self._bound: dict[str, Any] = dict(_HELPERS)
        self._functions: dict[str, tuple[str, bool] | None] = {}
        name, _ = self._translate(resolved, kernel=True)
        self.start = self._bound[name]

    def _bind(self, prefix: str, value: Any) -> str:
        name = f"_wb_{prefix}_{len(self._bound)}"
        self._bound[name] = constant_memory(prefix, value) if _is_array(value) else value
        return name

    def _callee(self, resolved: Resolved) -> tuple[str, bool]:
        key = f"{resolved.source.file_name}:{resolved.source.first_line}:{resolved.name}"
        if key not in self._functions:
            return self._translate(resolved, key=key)
        known = self._functions[key]
        if known is None:
            raise KernelSourceError(
                f"{resolved.name} calls itself.", "a recursive device function", "use a loop"
            )
        return known

    def _translate(
        self, resolved: Resolved, key: str = "", kernel: bool = False
    ) -> tuple[str, bool]:
        self._functions[key] = None
        copy = replace(resolved, tree=deepcopy(resolved.tree), sites=self.sites)
        self.resident |= any(
            isinstance(node, Intrinsic) and node.intrinsic.kind == "grid"
            for node in ast.walk(copy.tree)
        )
        remember = self.remember and kernel
        rewriter = Rewriter(copy, self._callee, self._bind, self.counting, remember)
        tree = copy.tree
        tree.body = [part for old in tree.body for part in _as_list(rewriter.visit(old))]
        if remember:
            tree.body.append(rewriter.farewell(tree.body[-1]))
        tree.args.args.insert(0, ast.arg("_c"))
        tree.name = name = f"_wb_{len(self._functions)}_{resolved.name}"
        if kernel and not rewriter.waits:  # a kernel is always a generator
            never = ast.If(ast.Constant(False), [ast.Expr(ast.Yield(None))], [])
            tree.body.append(ast.copy_location(never, tree.body[-1]))
        module = ast.fix_missing_locations(ast.Module([tree], []))
        space = _Names(resolved, self._bound)
        exec(compile(module, resolved.source.file_name, "exec"), space)
        self._bound[name] = space[name]
        self.resident |= rewriter.spins
        self._functions[key] = (name, rewriter.waits)
        return name, rewriter.waits


class _Names(dict):
    """Globals of a rewritten function: what the learner's function sees, then our own names."""

    def __init__(self, resolved: Resolved, bound: dict[str, Any]):
        source = resolved.source
        super().__init__(source.function.__globals__)
        for name in source.function.__code__.co_freevars:
            try:
                self[name] = source.lookup(name)
            except ValueError:  # a closure cell that is filled later: the function's own name
                continue
        self.update(bound)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _as_list(found: Any) -> list[ast.stmt]:
    return found if isinstance(found, list) else [found]
