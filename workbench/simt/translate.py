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

from workbench.errors import InputError
from workbench.simt.analysis import writes
from workbench.simt.emit import WHO, Mode, Writer
from workbench.simt.names import Names, constant_integer, is_math
from workbench.simt.normalise import Normal, deepcopy_tree
from workbench.simt.plan import MeetingResult, Unplannable
from workbench.simt.proofs import loop_ends, shrinking_bounds
from workbench.simt.ranges import Interval, Ranges, inside
from workbench.simt.resolve import DeviceCall, Index, Intrinsic
from workbench.simt.source import MISSING

INDEX_NAMES = {
    **{f"threadIdx.{axis}": f"_t{axis}" for axis in "xyz"},
    **{f"blockIdx.{axis}": f"_b{axis}" for axis in "xyz"},
    **{f"gridDim.{axis}": f"_g{axis}" for axis in "xyz"},
    "laneid": "(_t & 31)",
    "warpsize": "32",
}
CONTEXT = ("_tx", "_ty", "_tz", "_t", "_bx", "_by", "_bz", "_gx", "_gy", "_gz", "_blk", "_ctrl")
"""What device functions are handed besides their own arguments."""

CHUNK = 1 << 16
_STATIC_TRIPS = 1 << 16


class Translator(ast.NodeTransformer):
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
        self.trips = 1
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
        return _expression(str(value) if value is not None else INDEX_NAMES[node.name])

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
            node.func = _expression("workbench.simt.runtime_math.rounded")
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

    def visit_Intrinsic(self, node: Intrinsic):
        name, kind = node.intrinsic.name, node.intrinsic.kind
        if name in ("grid", "gridsize"):
            return self._grid(node)
        if kind == "fence":
            return ast.Constant(0)
        if kind == "atomic":
            return self._atomic(node)
        if name == "lanemask_lt":
            return _expression("np.uint32((1 << (_t & 31)) - 1)")
        if name == "nanosleep":
            return ast.Constant(0)
        args = [self.visit(arg) for arg in node.args]
        return ast.Call(ast.Name(f"lane_{name}", ast.Load()), args, [])

    def _grid(self, node: Intrinsic):
        count = self.constant(node.args[0]) if node.args else None
        if count not in (1, 2, 3):
            raise InputError(
                f"cuda.{node.intrinsic.name} takes 1, 2 or 3.",
                f"line {node.lineno}: {ast.unparse(node.args[0]) if node.args else 'nothing'}",
                "give the number of dimensions as a literal",
            )
        form = "_b{a} * {d} + _t{a}" if node.intrinsic.name == "grid" else "_g{a} * {d}"
        parts = [form.format(a=a, d=self.block[k]) for k, a in enumerate("xyz"[:count])]
        return _expression(parts[0] if count == 1 else f"({', '.join(parts)})")

    def _atomic(self, node: Intrinsic):
        name = node.intrinsic.name.partition(".")[2]
        array, *rest = [ast.unparse(self.visit(arg)) for arg in node.args]
        if name == "compare_and_swap":
            name, rest = "cas", ["0", *rest]
        base = node.args[0]
        private = isinstance(base, ast.Name) and base.id in self.private
        call = f"{'private' if private else 'global'}_{name}"
        return _expression(self.mode.atomic(node.site, call, array, rest[0], rest[1:]))

    def visit_DeviceCall(self, node: DeviceCall):
        names = node.function.source.parameters
        given = dict(zip(names, node.args, strict=False))
        given.update({word.arg: word.value for word in node.keywords})
        defaults = node.function.tree.args.defaults
        for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            given.setdefault(name, value)
        args = [self.visit(given[name]) for name in names if name in given]
        context = [ast.Name(name, ast.Load()) for name in CONTEXT]
        function = ast.Name(self.device_name(node.function), ast.Load())
        return ast.Call(function, [*args, *context], [])

    def visit_MeetingResult(self, node: MeetingResult):
        mask = f"v_{node.mask}" if node.mask else "_everyone"
        name, args = node.intrinsic.name, [ast.unparse(self.visit(arg)) for arg in node.args]
        published = f"v_{node.published}" if node.published else ""
        if node.intrinsic.kind == "block":
            return _expression(node.result)
        forms = {
            "shfl_sync": "lane_shuffled({v}, {m}, _t, ({x}) & 31)",
            "shfl_up_sync": "lane_shuffled({v}, {m}, _t, (_t & 31) - ({x}))",
            "shfl_down_sync": "lane_shuffled({v}, {m}, _t, (_t & 31) + ({x}))",
            "shfl_xor_sync": "lane_shuffled({v}, {m}, _t, (_t & 31) ^ ({x}))",
            "match_any_sync": "lane_matching({v}, {m}, _t)",
            "match_all_sync": "lane_all_matching({v}, {m}, _t)",
            "ballot_sync": "{r}[_t >> 5]",
            "any_sync": "({r}[_t >> 5] != 0)",
            "all_sync": "({r}[_t >> 5] == {r}a[_t >> 5])",
            "eq_sync": "({r}[_t >> 5] == 0 or {r}[_t >> 5] == {r}a[_t >> 5])",
            "activemask": "{r}a[_t >> 5]",
        }
        operand = args[2] if len(args) > 2 else ""
        return _expression(forms[name].format(v=published, m=mask, x=operand, r=node.result))

    # -- accesses

    def visit_Subscript(self, node: ast.Subscript):
        if not hasattr(node, "site") or isinstance(node.ctx, ast.Store) or _is_field(node):
            return self.generic_visit(node)
        node = _flattened(node, self.kinds)
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
            return _expression(f"load_proven({array}, {index})")
        return _expression(self.mode.load(node.site, array, index))

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
                parts.append(_expression(f"row_checked({at}, {base}.shape[{axis}], {place})"))
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
        if isinstance(target, ast.Subscript) and _is_field(target):
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

    def _refuse_text(self, statement: ast.Assign) -> None:
        value = statement.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            raise Unplannable(
                "Numba stores no text into a field of a record.",
                f"line {statement.lineno}",
                "another tier runs it",
            )

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

    def _store(self, target: ast.Subscript, value: ast.expr) -> None:
        target = _flattened(deepcopy_tree(target), self.kinds)
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

    def write_While(self, statement: ast.While) -> None:
        for name in writes(statement):
            self.ranges.bind(name, None)
        with self.out.block(f"while {self.text(statement.test)}:"):
            if not loop_ends(statement, self.normal.body):
                self.poll()
            self._branch(statement.test, True, statement.body)
        self._leave(statement)

    def write_For(self, statement: ast.For) -> None:
        for name in writes(statement):
            self.ranges.bind(name, None)
        call = statement.iter
        is_range = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "range"
        if not is_range or not isinstance(statement.target, ast.Name):
            with self.out.block(f"for {self.text(statement.target)} in {self.text(call)}:"):
                self.write(statement.body)
        else:
            self._range_loop(statement, call)
        self._leave(statement)

    def _range_loop(self, statement: ast.For, call: ast.Call) -> None:
        start, stop, step = self.range_parts(call)
        target = statement.target.id
        constant = [self.constant(part) for part in (start, stop, step)]
        interval = self.loop_interval(start, stop, constant[2])
        outer = self.trips
        trips = len(range(*constant)) if None not in constant and constant[2] else None
        if trips is not None and outer * trips <= _STATIC_TRIPS:
            self.trips *= max(trips, 1)
            with self.out.block(f"for {target} in {self.text(call)}:"):
                self._loop_body(statement, interval)
        elif constant[2] and not _has_break(statement.body):
            self._strips(statement, (start, stop), constant[2], interval)
        else:
            with self.out.block(f"for {target} in {self.text(call)}:"):
                self.poll()
                self._loop_body(statement, interval)
        self.trips = outer

    def _loop_body(self, statement: ast.For, interval: Interval | None) -> None:
        name = statement.target.id
        self.done.add(name)
        self.ranges.bind(name, interval if self.stores.get(name) == 1 else None)
        self.write(statement.body)

    def _strips(self, statement, ends, step: int, interval: Interval | None) -> None:
        """Write a long loop in strips, so that it polls and still vectorises."""
        self.temps += 1
        at, stop = f"_at{self.temps}", f"_stop{self.temps}"
        name, width, target = f"_strip{self.temps}", CHUNK * step, statement.target.id
        pick = "min" if step > 0 else "max"
        self.out(f"{at} = {self.text(ends[0])}", f"{stop} = {self.text(ends[1])}")
        with self.out.block(f"for {name} in range({at}, {stop}, {width}):"):
            end = f"{pick}({name} + {width}, {stop})"
            self.poll(f"abs({end} - {name})")
            with self.out.block(f"for {target} in range({name}, {end}, {step}):"):
                self._loop_body(statement, interval)

    def range_parts(self, call: ast.Call) -> list[ast.expr]:
        """Return start, stop and step of a ``range`` call."""
        zero, one = ast.Constant(0), ast.Constant(1)
        return {1: [zero, *call.args, one], 2: [*call.args, one], 3: call.args}[len(call.args)]

    def loop_interval(self, start, stop, step: int | None) -> Interval | None:
        """Return where the variable of ``range(start, stop, step)`` lies inside the loop."""
        if not step:
            return None
        first, last = self.ranges.of(start), self.ranges.of(stop)
        if step > 0:
            low = first.low if first else ()
            high = tuple((text, off - 1) for text, off in last.high) if last else ()
        else:
            low = tuple((text, off + 1) for text, off in last.low) if last else ()
            high = first.high if first else ()
        return Interval(low, high)

    def poll(self, cost: str = "1") -> None:
        """Write the check of a back edge: fuel, and where it is out, whether to go on."""
        self.out(f"_fuel -= {cost}")
        with self.out.block("if _fuel < 0:"):
            self.out("_fuel = refill(_ctrl)")
            with self.out.block("if _fuel < 0:"):
                self.out("raise Stopped")


def _is_field(node: ast.Subscript) -> bool:
    """Whether a subscript names a field of a record: ``states[i]["s0"]``."""
    return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)


def _flattened(node: ast.Subscript, kinds: dict) -> ast.Subscript:
    """``a[i][j]`` of a two-dimensional array is ``a[i, j]``."""
    parts: list[ast.expr] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Subscript) and hasattr(inner, "site"):
        own = inner.slice.elts if isinstance(inner.slice, ast.Tuple) else [inner.slice]
        if any(isinstance(part, ast.Slice) for part in own):
            return node
        parts = [*own, *parts]
        inner = inner.value
    kind = kinds.get(getattr(inner, "id", ""))
    if inner is node.value or not isinstance(kind, types.Array) or kind.ndim != len(parts):
        return node
    flat = ast.Subscript(inner, ast.Tuple(parts, ast.Load()), node.ctx)
    flat.site = node.site
    return ast.copy_location(flat, node)


def _has_break(body: list[ast.stmt]) -> bool:
    from workbench.simt.analysis import escapes

    return bool(escapes(body, (ast.Break, ast.Return)))


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
