"""A kernel as a Python generator with its own lines: what the step-through tier runs."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import ast
from copy import deepcopy
from typing import Any

import numpy as np

from workbench.simt.frontend.resolved import DeviceCall, Index, Intrinsic, Resolved


class _Stepper(ast.NodeTransformer):
    """Rewrites a resolved tree into a generator over one thread."""

    def __init__(self, resolved: Resolved, env: dict):
        self.resolved, self.env = resolved, env

    def visit_Index(self, node: Index):
        return _at(node, f"_c.{node.name}")

    def visit_Intrinsic(self, node: Intrinsic):
        self.generic_visit(node)
        call = ast.Call(_at(node, f"_c.{node.intrinsic.method}"), node.args, node.keywords)
        ast.copy_location(call, node)
        if node.intrinsic.kind == "declare":
            key = ast.Constant(f"{self.resolved.name}:{node.lineno}:{node.col_offset}")
            call.args = [ast.copy_location(key, node), *call.args]
        if not node.intrinsic.synchronises:
            return call
        line = ast.keyword("line", ast.copy_location(ast.Constant(node.lineno), node))
        call.keywords = [*call.keywords, line]
        return ast.copy_location(ast.YieldFrom(call), node)

    def visit_DeviceCall(self, node: DeviceCall):
        self.generic_visit(node)
        name = f"_device_{node.function.name}_{id(node.function):x}"
        if name not in self.env:
            self.env[name] = None  # a recursive function meets itself here
            self.env[name] = generator_function(node.function, self.env)
        args = [_at(node, "_c"), *node.args]
        call = ast.copy_location(ast.Call(_at(node, name), args, node.keywords), node)
        return ast.copy_location(ast.YieldFrom(call), node)

    def visit_Subscript(self, node: ast.Subscript):
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load) and hasattr(node, "site"):
            call = ast.Call(_at(node, "_widen"), [node], [])
            return ast.copy_location(call, node)
        return node

    def visit_While(self, node: ast.While):
        self.generic_visit(node)
        poll = ast.Expr(ast.Yield(None))
        node.body = [*node.body, _fix(poll, node)]
        return node


def _at(node: ast.AST, text: str) -> ast.expr:
    return _fix(ast.parse(text, mode="eval").body, node)


def _fix(new: Any, node: ast.AST) -> Any:
    for part in ast.walk(new):
        ast.copy_location(part, node)
    return new


_NARROW = {np.dtype(code).type: np.uint64 if code in "BHI" else np.int64 for code in "bhiBHI"}


def _widen(value: Any) -> Any:
    wide = _NARROW.get(type(value))
    return value if wide is None else wide(value)


def generator_function(resolved: Resolved, env: dict | None = None) -> Any:
    """Return ``f(thread, *args)``, a generator function with the kernel's own lines.

    Parameters
    ----------
    resolved : Resolved
    env : dict, optional
        Shared by the device functions of one kernel.
    """
    env = {"_widen": _widen} if env is None else env
    tree = _Stepper(resolved, env).visit(deepcopy(resolved.tree))
    tree.args.args.insert(0, ast.arg("_c"))
    never = ast.If(ast.Constant(False), [ast.Expr(ast.Yield(None))], [])
    tree.body.append(_fix(never, tree.body[-1]))
    ast.fix_missing_locations(tree)
    code = compile(ast.Module([tree], []), resolved.source.file_name, "exec")
    space = _Names(resolved.source, env)
    exec(code, space)
    return space[tree.name]


class _Names(dict):
    """Globals of a generated function: our helpers, then what the learner's function sees."""

    def __init__(self, source, env: dict):
        super().__init__(source.function.__globals__)
        code = source.function.__code__
        for name in code.co_freevars:
            try:
                self[name] = source.lookup(name)
            except ValueError:  # a closure cell that is filled later: the function's own name
                continue
        self.update(env)
        self.env = env
