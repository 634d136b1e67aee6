"""The generated module: device functions, then the kernel as thread loops inside a block loop.

`build` turns a kernel, argument types and a block shape into source text with its meta data; it
compiles nothing. The text is made to be read: `Kernel.generated_source` shows it to whoever asks
how a barrier becomes two loops.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from collections.abc import Callable

import numpy as np

from workbench.simt.codegen.declared import (
    DeclaredArray,
)
from workbench.simt.codegen.device_functions import START_FUEL
from workbench.simt.codegen.emit import PLAIN, Writer
from workbench.simt.codegen.memory import Memory
from workbench.simt.codegen.translate import Translator
from workbench.simt.frontend.normal_form import Normal
from workbench.simt.planning.analysis import reads
from workbench.simt.planning.epochs import epochs
from workbench.simt.planning.narrow import narrowed
from workbench.simt.planning.nodes import (
    LIVE,
    Branch,
    LeaveIfNone,
    Loop,
    Meeting,
    Plan,
    Region,
    Uniform,
    Unplannable,
    WhenAny,
)
from workbench.simt.planning.proofs import loop_ends

_NEXT_BLOCK = (
    "_bx += 1",
    "if _bx == _gx:",
    "    _bx = 0",
    "    _by += 1",
    "    if _by == _gy:",
    "        _by = 0",
    "        _bz += 1",
)
"""Counting costs less than dividing, which for a small block is most of its time."""
BLOCK_LEVEL = "-1"
"""Stands for a thread's number where a whole block is meant."""
_BITS = ("ballot_sync", "any_sync", "all_sync", "eq_sync", "activemask")
_COUNTED = {
    "syncthreads_count": "lane_count_of",
    "syncthreads_and": "lane_all_of",
    "syncthreads_or": "lane_any_true",
}


class RegionWriter(Memory):
    """Writes the kernel from its plan."""

    def __init__(
        self, normal: Normal, plan: Plan, translator: Translator, arrays: list[DeclaredArray]
    ):
        self.normal, self.plan, self.translator = normal, plan, translator
        self.arrays, self.mode, self.out = arrays, translator.mode, translator.out
        self.block = translator.block
        self.threads = int(np.prod(self.block))
        self.makers: list[str] = []
        self.prologue: list[str] = []
        self.local_arrays = {one.name: one for one in arrays if one.kind == "local"}
        self.shared_axis = self._locals_that_cross()
        self.everyone = False
        translator.turn = BLOCK_LEVEL
        self.epochs = epochs(plan.nodes)

    def write(self, name: str, parameters: list[str]) -> str:
        """Return the kernel's text, with the makers of its arrays before it."""
        body = Writer()
        self.out = self.translator.out = body
        body.depth = 2
        self.nodes(self.plan.nodes)
        self._declare()
        out = Writer()
        out(*self.makers, "", "")
        with out.block(f"def {name}({', '.join(parameters)}):"):
            out(f"_fuel = {START_FUEL}", "_ctrl[10] = stack_address()")
            out(*self.prologue, *self.mode.launch_begins())
            out("_bx = _first % _gx - 1", "_by = _first // _gx % _gy")
            out("_bz = _first // (_gx * _gy)")
            with out.block("for _blk in range(_first, _last):"):
                out(*_NEXT_BLOCK)
                for one in self.arrays:
                    if one.kind == "shared" and not self._overwritten(one):
                        out(f"poison({'_dynamic' if one.dynamic else one.name})")
                out(*self.mode.block_begins())
                line = self.normal.resolved.source.first_line
                self.translator.poll(out, line, self.translator.block_cost())
                out.lines += body.lines
                out(*self.mode.block_ends())
                with out.block("if _ctrl[1] != 0:"):
                    out("break")
        return out.text()

    # -- the plan's nodes

    def nodes(self, nodes: list) -> None:
        """Write nodes in order."""
        for node in nodes:
            getattr(self, f"on_{type(node).__name__}")(node)

    def on_Uniform(self, node: Uniform) -> None:
        self.translator.begin_region([], fast=False)
        self.translator.write([node.statement])

    def on_Branch(self, node: Branch) -> None:
        self.translator.begin_region([], fast=False)
        with self.out.block(f"if {self.translator.text(node.test)}:"):
            self.nodes(node.body)
        if node.orelse:
            with self.out.block("else:"):
                self.nodes(node.orelse)

    def on_WhenAny(self, node: WhenAny) -> None:
        with self.out.block(f"if lane_any_of(v_{node.mask}):"):
            self.nodes(node.body)

    def on_LeaveIfNone(self, node: LeaveIfNone) -> None:
        with self.out.block(f"if not lane_any_of(v_{node.mask}):"):
            self.out("break")

    def on_Loop(self, node: Loop) -> None:
        self.translator.begin_region([], fast=False)
        head = node.head
        if head is None:
            text = "while True:"
        elif isinstance(head, ast.For):
            text = f"for {self.translator.text(head.target)} in {self.translator.text(head.iter)}:"
        else:
            text = f"while {self.translator.text(head.test)}:"
        ends = isinstance(head, ast.While) and loop_ends(head, self.normal.body)
        with self.out.block(text):
            at, outside, self.translator.work = len(self.out.lines), self.translator.work, 0
            self.nodes(node.body)
            if not ends:
                poll = Writer()
                poll.depth = self.out.depth
                self.translator.poll(poll, node.line, self.translator.block_cost())
                self.out.lines[at:at] = poll.lines
            self.translator.work += outside

    def on_Region(self, node: Region) -> None:
        if not node.body or self._shortcut(node):
            return
        self._either(*self._loop(node, fast=True), lambda: self._loop(node, fast=False)[0])

    def _either(self, fast: list[str], tests: list[str], slow: Callable[[], list[str]]) -> None:
        if not tests:
            self.out.lines += fast
            return
        with self.out.block(f"if {' and '.join(tests)}:"):
            self.out.lines += ["    " + line for line in fast]
        checked = slow()
        with self.out.block("else:"):
            self.out.lines += ["    " + line for line in checked]

    def _shortcut(self, node: Region) -> bool:
        """Write a region that an instrumenting mode judges as a whole; return whether it does."""
        mode, translator = self.mode, self.translator
        translator.begin_region([*node.again, *node.body], fast=True)
        found = mode.shortcut([*node.again, *node.body], translator, self.epochs[id(node)])
        if found is None:
            return False
        self.mode = translator.mode = PLAIN
        bare, tests = self._loop(node, fast=True)
        self.mode = translator.mode = mode
        if translator.unchecked:
            return False
        self.out(*found.before)
        bare += ["    " * self.out.depth + line for line in found.after]
        self._either(bare, [*tests, *found.tests], lambda: self._loop(node, fast=False)[0])
        return True

    def _loop(self, node: Region, fast: bool) -> tuple[list[str], list[str]]:
        translator, outer = self.translator, self.out
        self.out = translator.out = Writer()
        self.out.depth = outer.depth
        translator.begin_region([*node.again, *node.body], fast)
        lines = _lines(node.body)
        self.out(*self.mode.region_begins(lines))
        start = self.out.depth
        few = self._narrowed(node)
        for axis, extent in zip("zyx", reversed(self.block), strict=True):
            if extent > 1:
                turns = few if few and axis == "x" else f"range({extent})"
                self.out(f"for _t{axis} in {turns}:")
                self.out.depth += 1
            else:
                self.out(f"_t{axis} = 0")
        self._turn(node)
        self.out.depth = start
        self.out(*self.mode.region_ends())
        written, self.out = self.out.lines, outer
        translator.out = outer
        return written, list(translator.tests)

    def _narrowed(self, node: Region) -> str | None:
        if not self.mode.hoists or self.threads != self.block[0] or self.threads == 1:
            return None
        translator = self.translator
        return narrowed(node, self.threads, translator._is_uniform, translator.text)

    def _turn(self, node: Region) -> None:
        x, y, _z = self.block
        linear = {1: "_tx", 2: f"_ty * {x} + _tx"}.get(
            1 if self.threads == x else 2 if self.threads == x * y else 3,
            f"(_tz * {y} + _ty) * {x} + _tx",
        )
        self.out(f"_t = {linear}", *self.mode.thread_begins())
        used = {name for s in [*node.again, *node.body] for name in reads(s)}
        for name in sorted(used & self.shared_axis):
            self.out(f"{name} = thread_slice(all_{name}, _t)")
        needed_first = {name for s in node.again for name in reads(s)} & node.carried
        for name in sorted(needed_first):
            self.out(f"{name} = v_{name}[_t]")
        self.translator.turn = "_t"
        self.translator.write(node.again)
        for name in sorted(node.carried - needed_first):
            self.out(f"{name} = v_{name}[_t]")
        self.translator.write(node.body)
        self.translator.turn = BLOCK_LEVEL
        for name in sorted(node.kept):
            self.out(f"v_{name}[_t] = {name}")
        self.out(*self.mode.thread_ends())

    def on_Meeting(self, node: Meeting) -> None:
        sync = node.sync
        mask = f"v_{node.mask}" if node.mask else "_everyone"
        self.everyone |= node.mask is None and (sync.intrinsic.kind == "warp" or bool(node.result))
        named, lanes = sync.intrinsic.name, _lanes(node)
        self.out(*self.mode.meets(named, sync.lineno, node.mask and mask, lanes))
        if sync.intrinsic.kind != "warp":
            self._block_meeting(node, mask)
        elif sync.intrinsic.name in _BITS and node.result:
            warps = -(-self.threads // 32)
            self._array(f"{node.result}a", (warps,), "np.uint32", 4)
            self.out(f"lane_bits({mask}, {mask}, {node.result}a)")
            if node.published:
                self._array(node.result, (warps,), "np.uint32", 4)
                self.out(f"lane_bits(v_{node.published}, {mask}, {node.result})")

    def _block_meeting(self, node: Meeting, mask: str) -> None:
        if node.sync.intrinsic.kind == "grid":
            raise Unplannable(
                "A barrier over the whole grid keeps every block in flight.",
                f"line {node.sync.lineno}",
                "another tier runs it",
            )
        if node.mask is not None and node.mask != LIVE:
            live = f"v_{LIVE}" if LIVE in self.plan.masks else "_everyone"
            self.everyone |= live == "_everyone"
            self.out(f"_missing = lane_first_missing({mask}, {live})")
            with self.out.block(f"if _missing >= 0 and lane_any_of({mask}):"):
                line = node.sync.lineno
                self.out(f"fault(2, {line}, lane_first_of({mask}), _missing, _blk, _ctrl)")
                self.out("raise Stopped")
        if node.result:
            function = _COUNTED[node.sync.intrinsic.name]
            self.out(f"{node.result} = {function}(v_{node.published}, {mask})")


def _lines(body: list[ast.stmt]) -> tuple[int, int]:
    numbers = [part.lineno for s in body for part in ast.walk(s) if getattr(part, "lineno", None)]
    return (min(numbers), max(numbers)) if numbers else (0, 0)


def _lanes(node: Meeting) -> str | None:
    """Return the mask that a warp operation is given, as `Mode.meets` takes it."""
    sync = node.sync
    if sync.intrinsic.kind != "warp" or not sync.args:
        return None
    given = sync.args[0]
    if isinstance(given, ast.Constant):
        return str(given.value)
    return f"v_{node.published}" if sync.intrinsic.name == "syncwarp" else ""
