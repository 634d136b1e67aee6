"""A resolved kernel rewritten so that a traced thread can run it and be seen.

Every element access becomes a call on the thread ``_c``, every place where threads wait for each
other a ``yield``, every division and every integer product a helper with Numba's meaning. Lines
stay the learner's own, so that a traceback, pdb and every finding point into the learner's file.

It refuses names of the CUDA interface that it does not know, instead of guessing what they do.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.resolved import DeviceCall, Index, Intrinsic, Resolved, Site
from workbench.simt.frontend.source import MISSING
from workbench.simt.trace.assignments import Assignments
from workbench.simt.trace.nodes import (
    call_of,
    load_name,
    on_thread,
    placed,
    store_name,
)
from workbench.simt.trace.thread import TracedThread
from workbench.simt.trace.values import scalar_type

_OPERATORS = {
    ast.Div: "_divide",
    ast.FloorDiv: "_floor_divide",
    ast.Mod: "_modulo",
    ast.Pow: "_power",
}
_WRAPPING = (ast.Mult, ast.LShift)


class Rewriter(Assignments):
    """Rewrites one function.

    Parameters
    ----------
    resolved : Resolved
        The function; its tree is changed.
    callee : callable
        ``callee(resolved) -> (name, is_generator)``: how a device function is called.
    bind : callable
        ``bind(prefix, value) -> name``: puts an object where the rewritten code can name it.
    counting : bool
        Whether loops and arithmetic report to the observer too.
    remember : bool
        Whether a thread hands its local names to the observer when it leaves.

    Attributes
    ----------
    waits : bool
        Whether the rewritten function is a generator.
    spins : bool
        Whether it has a loop in which it may wait for another thread.
    """

    def __init__(
        self,
        resolved: Resolved,
        callee: Callable[[Resolved], tuple[str, bool]],
        bind: Callable[[str, Any], str],
        counting: bool,
        remember: bool = False,
    ):
        self.resolved, self.source = resolved, resolved.source
        self.callee, self.bind, self.counting = callee, bind, counting
        self.remember = remember
        self.waits = self.spins = False
        self._temporaries = 0
        stored = (
            node.id
            for node in ast.walk(resolved.tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )
        self.local_names = {*stored, *self.source.parameters}

    def meaning(self, node: ast.AST) -> Any:
        """Return the object that a dotted global name evaluates to, or `MISSING`."""
        if isinstance(node, ast.Name):
            return MISSING if node.id in self.local_names else self.source.lookup(node.id)
        if isinstance(node, ast.Attribute):
            base = self.meaning(node.value)
            return MISSING if base is MISSING else getattr(base, node.attr, MISSING)
        return MISSING

    def site(self, node: Any, kind: str = "", text: str = "") -> ast.Name:
        """Return a name for the site of `node`, made here where the front end gave it none."""
        site = getattr(node, "site", None)
        if site is None:
            place = (self.source.file_name, node.lineno, node.col_offset)
            site = Site(len(self.resolved.sites) + 1, "", text, kind, *place)
            self.resolved.sites.append(site)
        return ast.Name(self.bind("site", site), ast.Load())

    def temporary(self) -> str:
        """Return a fresh local name."""
        self._temporaries += 1
        return f"_wb_{self._temporaries}"

    # -- names

    def visit_Index(self, node: Index) -> ast.AST:
        """Read an index from the thread."""
        return placed(ast.parse(f"_c.{node.name}", mode="eval").body, node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Give global arrays a traced form."""
        if isinstance(node.ctx, ast.Load) and isinstance(self.meaning(node), np.ndarray):
            name = self.bind(node.id, self.meaning(node))
            return placed(ast.Name(name, ast.Load()), node)
        return node

    # -- arithmetic

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Give operators Numba's meaning."""
        node.left, node.right = self.visit(node.left), self.visit(node.right)
        return self._arithmetic(node)

    def _arithmetic(self, node: ast.BinOp) -> ast.expr:
        helper = _OPERATORS.get(type(node.op))
        result: ast.expr = node
        if helper:
            result = call_of(helper, node.left, node.right)
        elif isinstance(node.op, _WRAPPING):
            result = call_of("_wrap", node)
        return placed(self._count(node, result), node)

    def _count(self, node: Any, value: ast.expr) -> ast.expr:
        if not self.counting:
            return value
        return on_thread("counted", ast.Constant(node.lineno), value)

    # -- control

    def _loop(self, node: Any) -> Any:
        spins = isinstance(node, ast.While) and self._may_spin(node)
        node = self.generic_visit(node)
        if spins:
            self.waits = self.spins = True
            pause = ast.Yield(self._request("pause", node, []))
            node.body.insert(0, placed(ast.Expr(pause), node))
        if not self.counting:
            return node
        depth = self.temporary()
        enter = ast.Assign([store_name(depth)], on_thread("enter"))
        node.body.insert(0, placed(ast.Expr(on_thread("trip", load_name(depth))), node))
        leave = ast.Expr(on_thread("leave", load_name(depth)))
        return [placed(enter, node), node, placed(leave, node)]

    visit_For = _loop
    visit_While = _loop

    def _may_spin(self, node: ast.While) -> bool:
        """Return whether a loop may wait for another thread: an atomic inside, a load tested."""
        return any(
            isinstance(inner, Intrinsic) and inner.intrinsic.kind in ("atomic", "fence")
            for inner in ast.walk(node)
        ) or any(isinstance(inner, ast.Subscript) for inner in ast.walk(node.test))

    def visit_Return(self, node: ast.Return) -> Any:
        """Let the thread remember where it left the kernel."""
        here = ast.Attribute(load_name("_c"), "left", ast.Store())
        remember = ast.Assign([here], self.site(node, "return", "return"))
        left = [placed(remember, node), self.generic_visit(node)]
        return [self.farewell(node), *left] if self.remember else left

    def farewell(self, like: ast.AST) -> ast.stmt:
        """Return the statement with which a thread hands over its local names."""
        return placed(ast.Expr(on_thread("ends", call_of("locals"))), like)

    # -- calls

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Give casts and the functions of `math` Numba's meaning."""
        found = self.meaning(node.func)
        arguments = [self.visit(argument) for argument in node.args]
        if isinstance(found, types.BuiltinFunctionType) and found.__module__ == "math":
            call = call_of("_math", ast.Constant(found.__name__), *arguments)
            return placed(self._count(node, call), node)
        cast = self._cast(node, found, arguments)
        if cast is not None:
            return placed(cast, node)
        node.func, node.args = self.visit(node.func), arguments
        node.keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        return node

    def _cast(self, node: ast.Call, found: Any, arguments: list) -> ast.expr | None:
        """Return ``np.int32(x)``, or ``np.int32(x).view(np.float32)``, in Numba's meaning."""
        dtype = None if found is MISSING else scalar_type(found)
        if dtype is not None and dtype.kind in "iub" and len(arguments) == 1:
            return call_of("_cast", load_name(self.bind("dtype", dtype)), *arguments)
        inner = getattr(node.func, "value", None)
        if getattr(node.func, "attr", "") != "view" or not isinstance(inner, ast.Call):
            return None
        kinds = [self.meaning(one) for one in (inner.func, *node.args)]
        dtypes = [None if kind is MISSING else scalar_type(kind) for kind in kinds]
        if None in dtypes or len(inner.args) != 1:
            return None
        names = [load_name(self.bind("dtype", dtype)) for dtype in dtypes]
        return call_of("_viewed", names[0], self.visit(inner.args[0]), names[1])

    def visit_DeviceCall(self, node: DeviceCall) -> ast.AST:
        """Call the rewritten form of a device function."""
        name, waits = self.callee(node.function)
        call: Any = call_of(name, load_name("_c"), *(self.visit(one) for one in node.args))
        call.keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        if waits:
            self.waits = True
            call = ast.YieldFrom(call)
        if self.counting:
            site = self.site(node, "call", node.function.name)
            number = ast.Attribute(site, "number", ast.Load())
            call = on_thread("end_call", on_thread("begin_call", number), call)
        return placed(call, node)

    def _request(self, name: str, node: Any, arguments: list[ast.expr]) -> ast.Tuple:
        site = self.site(node, "wait", name)
        return ast.Tuple([ast.Constant(name), site, ast.Tuple(arguments, ast.Load())], ast.Load())

    def visit_Intrinsic(self, node: Intrinsic) -> ast.AST:
        """Carry out one operation of the CUDA interface."""
        found, method = node.intrinsic, node.intrinsic.method
        if found.kind == "declare":
            return self._declare(node, f"{found.name} on line {node.lineno}")
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        if found.synchronises:
            self.waits = True
            values = arguments + [keyword.value for keyword in keywords]
            return placed(ast.Yield(self._request(found.name, node, values)), node)
        if not hasattr(TracedThread, method):
            raise KernelSourceError(
                f"cuda.{found.name} cannot be traced.",
                f"{self.source.file_name}:{node.lineno}",
                "sanitize and inspect a kernel without it",
            )
        if method in TracedThread.accesses:
            arguments.insert(0, self.site(node, "access", method))
        call = on_thread(method, *arguments)
        call.keywords = keywords
        return placed(call, node)
