"""What a region touches, told before it runs: boxes of threads, straight lines of elements.

Where the guards of a thread loop are ``t < k`` and the like and its indices are linear in the
thread (see `linear`), the whole loop is known from a few uniform numbers: which threads come by an
access, and which element each of them wants. The sanitizer and the inspector then judge the loop as
a whole and run it bare. Everything else is refused (`NotLinear`) and watched access by access.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from numba import types

from workbench.simt.codegen.guards import Box, guarded
from workbench.simt.codegen.kinds import is_float
from workbench.simt.codegen.linear import Linear, LinearReader, NotLinear
from workbench.simt.codegen.names import is_math
from workbench.simt.codegen.translate import Translator
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Site
from workbench.simt.planning.analysis import ESCAPES, escapes, writes

MOST_LOOPS = 2


@dataclass(frozen=True)
class Touch:
    """One access: the element that each thread (and turn of a loop) of a box wants.

    Attributes
    ----------
    site : Site
    array : str
    element : Linear
        Number of the element in row-major order.
    box : Box
    """

    site: Site
    array: str
    element: Linear
    box: Box

    @property
    def loops(self) -> list[str]:
        """The axes of the box that are loops, outermost first."""
        return [axis for axis in self.box if axis.startswith("_j")]


@dataclass
class Footprint:
    """What one region does.

    Attributes
    ----------
    touches : list of Touch
        In the order of the source.
    operations : list of (int, Box)
        Source line and box of each floating-point operation.
    needs : dict
        Tests (keys, as source text) under which all this holds.
    """

    touches: list[Touch] = field(default_factory=list)
    operations: list[tuple[int, Box]] = field(default_factory=list)
    needs: dict[str, None] = field(default_factory=dict)


def footprint(
    body: list[ast.stmt], translator: Translator, relevant: Callable, counting: bool = False
) -> Footprint:
    """Return what a region does.

    Parameters
    ----------
    body : list of ast.stmt
        In normal form.
    translator : Translator
        Which has begun this region.
    relevant : callable
        ``relevant(array) -> bool``: whether accesses to a named array are wanted; atomics always
        are.
    counting : bool
        Whether arithmetic is wanted, too.

    Raises
    ------
    NotLinear
    """
    return _Walk(translator, relevant, counting).run(body)


class _Walk:
    def __init__(self, translator: Translator, relevant: Callable, counting: bool):
        self.translator, self.relevant, self.counting = translator, relevant, counting
        self.reader = LinearReader(
            translator.block, translator._is_uniform, translator.constant, self._is_array,
            translator.text,
        )  # fmt: skip
        self.found = Footprint()
        self.loops = 0

    def run(self, body: list[ast.stmt]) -> Footprint:
        x, y, z = self.translator.block
        if z > 1:
            raise NotLinear
        self.statements(body, {"_tx": ("0", str(x)), "_ty": ("0", str(y))})
        return self.found

    def _is_array(self, name: str) -> bool:
        is_array = isinstance(self.translator.kinds.get(name), types.Array)
        return is_array and self.translator._is_given(name)

    # -- statements

    def statements(self, body: list[ast.stmt], box: Box) -> None:
        for statement in body:
            handler = getattr(self, f"on_{type(statement).__name__}", self.on_other)
            handler(statement, box)

    def on_other(self, statement: ast.stmt, box: Box) -> None:
        for part in ast.iter_child_nodes(statement):
            if isinstance(part, ast.stmt):
                raise NotLinear
            self.expression(part, box)

    def on_Assign(self, statement: ast.Assign, box: Box) -> None:
        target, value = statement.targets[0], statement.value
        self.expression(value, box)
        if isinstance(target, ast.Name):
            self._bind(target.id, lambda: self.reader.of(value))
        elif isinstance(target, ast.Tuple):
            self._bind_tuple(target, value)
        else:
            self.expression(target, box)

    def _bind(self, name: str, value: Callable[[], Linear]) -> None:
        self.reader.names.pop(name, None)
        kind = self.translator.kinds.get(name)
        if self.translator.stores.get(name) == 1 and isinstance(kind, types.Integer):
            try:
                self.reader.names[name] = value()
            except NotLinear:
                return

    def _bind_tuple(self, target: ast.Tuple, value: ast.expr) -> None:
        is_grid = isinstance(value, Intrinsic) and value.intrinsic.name == "grid"
        for at, part in enumerate(target.elts):
            if not isinstance(part, ast.Name):
                raise NotLinear
            if is_grid:
                self._bind(part.id, lambda at=at: self.reader.grid(at))
            elif isinstance(value, ast.Tuple):
                self._bind(part.id, lambda at=at: self.reader.of(value.elts[at]))
            else:
                self.reader.names.pop(part.id, None)

    def on_If(self, statement: ast.If, box: Box) -> None:
        self.expression(statement.test, box)
        for body, holds in ((statement.body, True), (statement.orelse, False)):
            if self._matters(body):
                self.statements(
                    body, guarded(statement.test, holds, box, self.reader, self.found.needs)
                )
        self._forget(statement)

    def on_For(self, statement: ast.For, box: Box) -> None:
        if not self._matters(statement.body):
            self._forget(statement)
            return
        call, target = statement.iter, statement.target
        is_range = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "range"
        if not is_range or not isinstance(target, ast.Name) or _leaves(statement):
            raise NotLinear
        parts = self.translator.range_parts(call)
        start, stop = (self.reader.of(part) for part in parts[:2])
        step = self.translator.constant(parts[2])
        if not step or stop.plus(start, -1).axes:
            raise NotLinear
        self._forget(statement)
        self.loops += 1
        axis = f"_j{self.loops}"
        distance = stop.plus(start, -1) if step > 0 else start.plus(stop, -1)
        inner = {**box, axis: ("0", f"turns({distance.text()}, {abs(step)})")}
        along = Linear.axis(axis).times(Linear.number(step))
        self._bind(target.id, lambda: start.plus(along))
        self.statements(statement.body, inner)
        self._forget(statement)

    def on_While(self, statement: ast.While, box: Box) -> None:
        if self._matters([statement]):
            raise NotLinear
        self._forget(statement)

    def _forget(self, statement: ast.stmt) -> None:
        for name in writes(statement):
            self.reader.names.pop(name, None)

    def _matters(self, body: list[ast.AST]) -> bool:
        """Return whether code holds anything that is wanted."""
        for part in (inner for one in body for inner in ast.walk(one)):
            site = getattr(part, "site", None)
            if site is not None and (site.kind == "atomic" or self.relevant(site.array)):
                return True
            if isinstance(part, ast.Return) or (self.counting and isinstance(part, DeviceCall)):
                return True
            if (
                self.counting
                and self._computes(part)
                and is_float(part, self.reader, self.translator) is not False
            ):
                return True
        return False

    def _computes(self, node: ast.AST) -> bool:
        is_call = isinstance(node, ast.Call) and is_math(node.func, self.translator.lookup)
        return is_call or isinstance(node, ast.BinOp)

    # -- expressions

    def expression(self, node: ast.AST, box: Box) -> None:
        if isinstance(node, ast.IfExp):
            self._choice(node, box)
        elif isinstance(node, ast.BoolOp):
            self.expression(node.values[0], box)
            if self._matters(node.values[1:]):
                raise NotLinear
        elif isinstance(node, Intrinsic) and node.intrinsic.kind == "atomic":
            for part in node.args[1:]:
                self.expression(part, box)
            self._touch(node.site, node.args[0], node.args[1], box)
        elif _is_opaque(node) or (self.counting and isinstance(node, DeviceCall)):
            raise NotLinear
        else:
            for part in ast.iter_child_nodes(node):
                self.expression(part, box)
            if isinstance(node, ast.Subscript) and hasattr(node, "site"):
                if not isinstance(node.value, ast.Name) or self.relevant(node.value.id):
                    self._touch(node.site, node.value, node.slice, box)
            elif self.counting and self._computes(node):
                floats = is_float(node, self.reader, self.translator)
                if floats is None:
                    raise NotLinear
                if floats:
                    self.found.operations.append((getattr(node, "lineno", 0), box))

    def _choice(self, node: ast.IfExp, box: Box) -> None:
        self.expression(node.test, box)
        for value, holds in ((node.body, True), (node.orelse, False)):
            if self._matters([value]):
                self.expression(
                    value, guarded(node.test, holds, box, self.reader, self.found.needs)
                )

    def _touch(self, site: Site, base: ast.expr, index: ast.expr, box: Box) -> None:
        array = getattr(base, "id", "")
        kind = self.translator.kinds.get(array)
        indices = index.elts if isinstance(index, ast.Tuple) else [index]
        if not isinstance(kind, types.Array) or len(indices) != kind.ndim:
            raise NotLinear
        if not self._is_array(array):
            raise NotLinear
        shape = self.translator.shapes.get(array)
        element = Linear.number(0)
        for axis, one in enumerate(indices):
            extent = (
                Linear.number(shape[axis]) if shape else Linear.uniform(f"{array}.shape[{axis}]")
            )
            element = element.times(extent).plus(self.reader.of(one))
        touch = Touch(site, array, element, box)
        if len(touch.loops) > MOST_LOOPS:
            raise NotLinear
        self.found.touches.append(touch)


def _is_opaque(node: ast.AST) -> bool:
    return isinstance(node, Intrinsic) and node.intrinsic.kind in ("fence", "grid")


def _leaves(statement: ast.For) -> bool:
    return bool(escapes(statement.body, ESCAPES)) or any(
        isinstance(part, ast.Return) for part in ast.walk(statement)
    )
