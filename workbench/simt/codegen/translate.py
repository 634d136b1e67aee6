"""Expressions and statements of one function, as the generated module says them.

Indices become plain names (``_tx``), intrinsics become calls of `runtime` functions, accesses go
through the `Mode`, and loops that could run for ever poll. Statements are written in the learner's
order, so that what a guard proves about an index is known where the access is written.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from typing import Any

from numba import types

from workbench.simt.codegen.accesses import Accesses
from workbench.simt.codegen.calls import Calls
from workbench.simt.codegen.context import INDEX_NAMES
from workbench.simt.codegen.emit import WHO, Mode, Writer
from workbench.simt.codegen.intervals import Interval
from workbench.simt.codegen.loops import Loops
from workbench.simt.codegen.names import Names, constant_integer, is_math
from workbench.simt.codegen.ranges import Ranges
from workbench.simt.codegen.trees import expression, is_field
from workbench.simt.frontend.normal_form import Normal, deepcopy_tree
from workbench.simt.frontend.resolved import Index, Intrinsic
from workbench.simt.frontend.source import MISSING
from workbench.simt.planning.analysis import writes
from workbench.simt.planning.proofs import shrinking_bounds


class Translator(Calls, Loops, Accesses, ast.NodeTransformer):
    """Writes the statements of one function.

    Parameters
    ----------
    normal : Normal
    names : Names
        Collects what the module's header must define.
    mode : Mode
    block : tuple of int
    kinds : dict
        Name -> Numba type, where known.
    device_name : callable
        ``device_name(resolved)`` -> the generated name of a device function.
    """

    def __init__(
        self, normal: Normal, names: Names, mode: Mode, block: tuple, kinds: dict, device_name: Any
    ):
        self.normal, self.names, self.mode, self.block = normal, names, mode, block
        self.kinds, self.device_name = kinds, device_name
        self.source = normal.resolved.source
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.private: set[str] = set()
        declared = {one.name for one in normal.declarations}
        self.locals = writes(normal.body) | set(normal.parameters) | declared
        self.own: set[str] = set()
        self.out = Writer()
        self.temps = 0
        self.trips, self.work = 1, 0
        self.turn = "_t"
        self.fast = False
        self.tests: dict[str, None] = {}
        self.unchecked = 0
        self.uniform_names: set[str] = set()
        self.stores: dict[str, int] = {}
        self.done: set[str] = set()
        self.ranges = self._new_ranges()

    # -- what is known about indices

    def _new_ranges(self) -> Ranges:
        return Ranges(
            self.block,
            self._is_uniform,
            self.constant,
            self._is_steady,
            self._is_flat,
            self._known_bounds,
            self._is_given,
        )

    def _is_given(self, name: str) -> bool:
        return name not in self.stores

    def _known_bounds(self, name: str) -> tuple[int, int] | None:
        if name in self.normal.parameters:
            return None
        return shrinking_bounds(name, self.normal.body, self.constant)

    def begin_region(self, body: list[ast.stmt], fast: bool) -> None:
        """Forget what was known and start a thread loop over `body`."""
        self.fast, self.tests, self.unchecked = fast, {}, 0
        self.stores, self.done = {}, set()
        for statement in body:
            for part in ast.walk(statement):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    self.stores[part.id] = self.stores.get(part.id, 0) + 1
        self.ranges = self._new_ranges()

    def _is_uniform(self, name: str) -> bool:
        if name in self.stores:
            return False
        kind = self.kinds.get(name)
        integer = isinstance(kind, types.Integer) and kind not in (types.uint64,)
        return integer and name in self.uniform_names

    def _is_steady(self, name: str) -> bool:
        count = self.stores.get(name, 0)
        return count == 0 or (count == 1 and name in self.done)

    def _is_flat(self, name: str) -> bool:
        return getattr(self.kinds.get(name), "ndim", 0) == 1

    def lookup(self, node: ast.Name) -> Any:
        """Return the value of a free name, or `MISSING` for a local one."""
        if node.id in self.locals or node.id in self.own:
            return MISSING
        return getattr(node, "scope", self.source).lookup(node.id)

    def constant(self, node: ast.AST) -> int | None:
        """Return the value of an expression of plain integers, or None."""
        return constant_integer(node, self.lookup, self.block)

    # -- expressions

    def text(self, node: ast.AST) -> str:
        """Return an expression as source."""
        return ast.unparse(ast.fix_missing_locations(self.visit(deepcopy_tree(node))))

    def visit_Name(self, node: ast.Name):
        if node.id in self.locals or node.id in self.own or node.id.startswith("_t"):
            return node
        node.id = self.names.use(node.id, getattr(node, "scope", self.source))
        return node

    def visit_Index(self, node: Index):
        value = self.constant(node)
        return expression(str(value) if value is not None else INDEX_NAMES[node.name])

    def visit_IfExp(self, node: ast.IfExp):
        test = deepcopy_tree(node.test)
        new = ast.IfExp(self.visit(node.test), node.body, node.orelse)
        keys = self.ranges.learn(test, True)
        new.body = self.visit(node.body)
        self.ranges.forget(keys)
        keys = self.ranges.learn(test, False)
        new.orelse = self.visit(node.orelse)
        self.ranges.forget(keys)
        return new

    def visit_BinOp(self, node: ast.BinOp):
        line = getattr(node, "lineno", 0)
        self.generic_visit(node)
        return self.mode.operation(line, node)

    def visit_Call(self, node: ast.Call):
        line, counts = getattr(node, "lineno", 0), is_math(node.func, self.lookup)
        rounds = isinstance(node.func, ast.Name) and self.lookup(node.func) is round
        self.generic_visit(node)
        if rounds and len(node.args) == 2:
            node.func = expression("workbench.simt.runtime.mathematics.rounded")
        return self.mode.operation(line, node) if counts else node

    def visit_BoolOp(self, node: ast.BoolOp):
        keys: list[str] = []
        values = []
        for value in node.values:
            before = deepcopy_tree(value)
            values.append(self.visit(value))
            keys += self.ranges.learn(before, isinstance(node.op, ast.And))
        self.ranges.forget(keys)
        return ast.BoolOp(node.op, values)

    # -- statements

    def write(self, body: list[ast.stmt]) -> None:
        """Write statements in order."""
        for statement in body:
            handler = getattr(self, f"write_{type(statement).__name__}", None)
            if handler is not None:
                handler(statement)
            else:
                self.out.statement(self.visit(deepcopy_tree(statement)))

    def write_Expr(self, statement: ast.Expr) -> None:
        value = statement.value
        if isinstance(value, Intrinsic) and value.intrinsic.kind == "fence":
            self.out(*self.mode.fence())
            return
        self.out(self.text(value))

    def write_Assign(self, statement: ast.Assign) -> None:
        target = statement.targets[0]
        if isinstance(target, ast.Subscript) and is_field(target):
            self._refuse_text(statement)
            self.out(
                f"{self.text(target.value)}[{target.slice.value!r}] = {self.text(statement.value)}"
            )
            return
        if isinstance(target, ast.Subscript) and hasattr(target, "site"):
            self._store(target, statement.value)
            return
        interval = self.ranges.of(statement.value)
        value = self.text(statement.value)
        self.out(f"{self.text(target)} = {value}")
        if isinstance(target, ast.Name):
            self.done.add(target.id)
            self.ranges.bind(target.id, interval if self.stores.get(target.id) == 1 else None)
        elif isinstance(target, ast.Tuple):
            self._bind_tuple(target, statement.value)

    def _bind_tuple(self, target: ast.Tuple, value: ast.expr) -> None:
        is_grid = isinstance(value, Intrinsic) and value.intrinsic.name == "grid"
        for axis, part in enumerate(target.elts):
            if not isinstance(part, ast.Name):
                continue
            self.done.add(part.id)
            interval: Interval | None = None
            if self.stores.get(part.id) == 1:
                if is_grid:
                    interval = self.ranges.grid(axis)
                elif isinstance(value, ast.Tuple):
                    interval = self.ranges.of(value.elts[axis])
            self.ranges.bind(part.id, interval)

    def write_Raise(self, statement: ast.Raise) -> None:
        self.out(*WHO)
        self.out.statement(self.visit(deepcopy_tree(statement)))

    def write_Assert(self, statement: ast.Assert) -> None:
        message = [] if statement.msg is None else [self.text(statement.msg)]
        with self.out.block(f"if not ({self.text(statement.test)}):"):
            self.out(*WHO, f"raise AssertionError({', '.join(message)})")

    def write_If(self, statement: ast.If) -> None:
        with self.out.block(f"if {self.text(statement.test)}:"):
            self._branch(statement.test, True, statement.body)
        if statement.orelse:
            with self.out.block("else:"):
                self._branch(statement.test, False, statement.orelse)
        self._leave(statement)

    def _branch(self, test: ast.expr, holds: bool, body: list[ast.stmt]) -> None:
        keys = self.ranges.learn(test, holds)
        self.write(body)
        self.ranges.forget(keys)

    def _leave(self, statement: ast.stmt) -> None:
        """After a branch or loop, what was assigned inside is unknown again."""
        for name in writes(statement):
            self.ranges.bind(name, None)
            self.done.discard(name)
