"""The generated module: device functions, then the kernel as thread loops inside a block loop.

`build` turns a kernel, argument types and a block shape into source text with its meta data; it
compiles nothing. The text is made to be read: `Kernel.generated_source` shows it to whoever asks
how a barrier becomes two loops.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numba import types
from numba.np.numpy_support import from_dtype

from workbench.simt import limits
from workbench.simt.analysis import reads
from workbench.simt.emit import PLAIN, Mode, Writer
from workbench.simt.epochs import epochs
from workbench.simt.names import Names, evaluate
from workbench.simt.narrow import narrowed
from workbench.simt.normalise import Normal, normalise
from workbench.simt.plan import (
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
from workbench.simt.proofs import loop_ends, overwritten_first
from workbench.simt.resolve import Resolved
from workbench.simt.translate import CONTEXT, Translator
from workbench.simt.types import as_dtype

HEADER = """import numba
import numpy as np
from numba import njit
from workbench.simt.runtime import (
    Stopped, block_array, fault, load_checked, load_proven, poison, refill, row_checked,
    stack_address, store_checked, store_proven, thread_slice, view_as,
)
from workbench.simt.runtime_atomics import *
from workbench.simt.runtime_lanes import *
import workbench.simt.runtime_math
"""
STACK_BYTES = 192 * 1024
"""Arrays of a block beyond this live on the heap."""
START_FUEL = 1 << 16
RECURSION_BYTES = 2 << 20
"""Stack that device functions calling themselves may use (a thread has 8 MiB)."""
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
_BITS = ("ballot_sync", "any_sync", "all_sync", "eq_sync", "activemask")
_COUNTED = {
    "syncthreads_count": "lane_count_of",
    "syncthreads_and": "lane_all_of",
    "syncthreads_or": "lane_any_true",
}


@dataclass
class DeclaredArray:
    """An array that a kernel declares, with its shape and dtype known."""

    name: str
    kind: str
    shape: tuple[int, ...]
    element: Any
    line: int

    @property
    def dynamic(self) -> bool:
        """Whether it is the dynamic shared memory."""
        return self.kind == "shared" and self.shape == (0,)

    @property
    def nbytes(self) -> int:
        """Bytes of the array."""
        return int(np.prod(self.shape)) * _itemsize(self.element)

    @property
    def array_type(self) -> types.Array:
        """Its Numba type."""
        return types.Array(self.element, len(self.shape), "C")


def declared_arrays(normal: Normal, names: Names) -> list[DeclaredArray]:
    """Evaluate the declarations of a function.

    Raises
    ------
    KernelSourceError, LaunchConfigError
        Where a shape is no constant, or shared memory is more than a block has.
    """
    found: list[DeclaredArray] = []
    source = normal.resolved.source
    for one in normal.declarations:
        if one.kind == "const":
            value = np.asarray(evaluate(one.args["array"], source))
            names.arrays[one.name] = value
            found.append(DeclaredArray(one.name, "const", value.shape, None, one.line))
            continue
        shape = evaluate(one.args["shape"], source)
        shape = tuple(int(n) for n in shape) if isinstance(shape, (tuple, list)) else (int(shape),)
        dtype = evaluate(one.args["dtype"], source)
        element = dtype if isinstance(dtype, types.Type) else from_dtype(as_dtype(dtype))
        array = DeclaredArray(one.name, one.kind, shape, element, one.line)
        same = [other for other in found if other.name == one.name]
        if any((o.shape, o.element, o.kind) != (shape, element, array.kind) for o in same):
            raise Unplannable(
                "One name stands for two different arrays.",
                f"{one.name} at line {one.line}",
                "give each array its own name",
            )
        found += [] if same else [array]
    shared = [one for one in found if one.kind == "shared"]
    total = sum(one.nbytes for one in shared)
    limits.check_static_shared(total, ", ".join(f"{o.name}{list(o.shape)}" for o in shared))
    return found


def _itemsize(element: types.Type) -> int:
    return as_dtype(element).itemsize


@dataclass
class Module:
    """Generated source and what a launch must know about it.

    Attributes
    ----------
    text : str
    function : str
        Name of the kernel in it.
    hidden : dict
        Arrays that follow the kernel's own arguments.
    objects : dict
        Objects that the module's namespace must hold; where there are any it is not cached.
    sites : list of dict
        Site number - 1 -> array, text, line, kind.
    shared_bytes : int
        Static shared memory of a block.
    uses_dynamic : bool
    thread_bytes : int
        Memory for the values that threads keep across barriers, of one block.
    """

    text: str
    function: str
    hidden: dict[str, np.ndarray] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    sites: list[dict] = field(default_factory=list)
    shared_bytes: int = 0
    uses_dynamic: bool = False
    thread_bytes: int = 0

    @cached_property
    def has_atomics(self) -> bool:
        """Whether it updates global memory atomically."""
        return " global_" in self.text or "(global_" in self.text


class DeviceFunctions:
    """Writes every device function reached, once."""

    def __init__(self, names: Names, mode: Mode, block: tuple):
        self.names, self.mode, self.block = names, mode, block
        self.known: dict[int, str] = {}
        self.texts: list[str] = []
        self.open: list[int] = []
        self.recursive: set[int] = set()

    def name_of(self, resolved: Resolved) -> str:
        """Return the generated name, writing the function at first use."""
        key = id(resolved)
        if key in self.open:
            self.recursive.update(self.open[self.open.index(key) :])
        if key not in self.known:
            self.known[key] = f"device_{resolved.name}_{len(self.known)}"
            self.texts.append(self._write(resolved, self.known[key]))
        return self.known[key]

    def mentions(self, name: str) -> bool:
        """Return whether a device function uses a name."""
        return any(re.search(rf"\b{re.escape(name)}\b", text) for text in self.texts)

    def _write(self, resolved: Resolved, name: str) -> str:
        self.open.append(id(resolved))
        text = self._written(resolved, name)
        self.open.pop()
        return text

    def _written(self, resolved: Resolved, name: str) -> str:
        normal = normalise(resolved)
        arrays = declared_arrays(normal, self.names)
        kinds = {one.name: one.array_type for one in arrays if one.kind != "const"}
        writer = Translator(normal, self.names, self.mode, self.block, kinds, self.name_of)
        writer.shapes = {one.name: one.shape for one in arrays if one.kind != "const"}
        writer.private = {one.name for one in arrays if one.kind == "local"}
        writer.begin_region(normal.body, fast=False)
        out = writer.out
        out(*(maker(one, of=name) for one in arrays if one.kind != "const" and one.nbytes))
        out(f"@njit(error_model={self.mode.error_model!r})")
        with out.block(f"def {name}({', '.join((*normal.parameters, *CONTEXT))}):"):
            out(f"_fuel = {START_FUEL}")
            for one in arrays:
                out(f"{one.name} = {make_array(one, of=name)}")
            start = len(out.lines)
            writer.write(normal.body)
            if id(resolved) in self.recursive:
                body, out.lines[start:] = out.lines[start:], []
                self._guard(out, resolved.source.first_line)
                out.lines += body
        return out.text()

    def _guard(self, out: Writer, line: int) -> None:
        """Recursion without end would kill the process: watch the stack, and poll."""
        with out.block(f"if _ctrl[10] - stack_address() > {RECURSION_BYTES}:"):
            out(f"fault(4, {line}, _t, 0, _blk, _ctrl)", "raise Stopped")
        out("_ctrl[11] -= 1")
        with out.block("if _ctrl[11] < 0:"):
            out("_ctrl[11] = refill(_ctrl)")
            with out.block("if _ctrl[11] < 0:"):
                out("raise Stopped")


def make_array(one: DeclaredArray, leading: int = 0, of: str = "") -> str:
    """Return an expression that makes a declared array, on the stack where it is small."""
    shape = (leading, *one.shape) if leading else one.shape
    nbytes = int(np.prod(shape)) * _itemsize(one.element)
    if nbytes > STACK_BYTES:
        return f"np.empty({shape!r}, {dtype_text(one.element)})"
    return f"make_{of}{one.name}()"


def maker(one: DeclaredArray, leading: int = 0, of: str = "") -> str:
    """Return the header line for `make_array`."""
    shape = (leading, *one.shape) if leading else one.shape
    return f"make_{of}{one.name} = block_array({shape!r}, {dtype_text(one.element)})"


def dtype_text(element: types.Type) -> str:
    """Return a NumPy dtype as source text."""
    dtype = as_dtype(element)
    if dtype.names or dtype.kind in "VMm":
        return f"np.dtype({dtype.descr!r}, align={dtype.isalignedstruct})"
    return f"np.{'bool_' if dtype.kind == 'b' else dtype.name}"


class RegionWriter:
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
        self.epochs = epochs(plan.nodes)

    def _locals_that_cross(self) -> set[str]:
        """Local arrays that more than one region touches: they gain a thread axis."""
        count: dict[str, int] = {}
        for region in _all_regions(self.plan.nodes):
            names = {name for s in [*region.again, *region.body] for name in reads(s)}
            for name in names & set(self.local_arrays):
                count[name] = count.get(name, 0) + 1
        return {name for name, times in count.items() if times > 1}

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
                poll = Writer()
                self.translator.out = poll
                self.translator.poll("16")
                out(*poll.lines)
                out.lines += body.lines
                out(*self.mode.block_ends())
                with out.block("if _ctrl[1] != 0:"):
                    out("break")
        return out.text()

    def _overwritten(self, one: DeclaredArray) -> bool:
        """Whether nobody can see what fresh memory holds."""
        first = []
        for node in self.plan.nodes:
            if not isinstance(node, (Region, Uniform, Meeting)):
                break
            if isinstance(node, Region):
                first.append(node.body)
        return overwritten_first(one.name, one.shape, first, self.normal, self.block)

    def _array(self, name: str, shape: tuple[int, ...], dtype: str, itemsize: int) -> None:
        if int(np.prod(shape)) * itemsize > STACK_BYTES:
            self.prologue.append(f"{name} = np.empty({shape!r}, {dtype})")
        else:
            self.makers.append(f"make_{name} = block_array({shape!r}, {dtype})")
            self.prologue.append(f"{name} = make_{name}()")

    def _declare(self) -> None:
        for one in self.arrays:
            if one.kind == "const":
                continue
            if one.dynamic:
                self.prologue.append("_dynamic = np.empty(_shared_bytes, np.uint8)")
                self.makers.append(f"like_{one.name} = np.empty(0, {dtype_text(one.element)})")
                self.prologue.append(f"{one.name} = view_as(_dynamic, like_{one.name})")
            elif one.name in self.shared_axis:
                shape = (self.threads, *one.shape)
                text, size = dtype_text(one.element), _itemsize(one.element)
                self._array(f"all_{one.name}", shape, text, size)
            else:
                text, size = dtype_text(one.element), _itemsize(one.element)
                self._array(one.name, one.shape, text, size)
            self.prologue += self.mode.declares(one.kind, one.name, one.shape, one.element)
        for name in sorted(self.plan.expanded):
            kind = self.translator.kinds.get(name)
            if name in self.plan.masks:
                kind = types.boolean
            elif name in self.plan.counters:
                kind = types.int64
            self._array(f"v_{name}", (self.threads,), self._kept_dtype(name, kind), 8)
        if self.everyone:
            self._array("_everyone", (self.threads,), "np.bool_", 1)
            self.prologue.append("_everyone[:] = True")

    def _kept_dtype(self, name: str, kind: Any) -> str:
        if isinstance(kind, (types.Number, types.Boolean)):
            return dtype_text(types.unliteral(kind))
        raise Unplannable(
            "A value that is no number lives across a barrier.",
            f"{name}: {kind}",
            "compute it again after the barrier, or keep its parts in names of their own",
        )

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
            if not ends:
                self.translator.poll("16")
            self.nodes(node.body)

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
        self.translator.write(node.again)
        for name in sorted(node.carried - needed_first):
            self.out(f"{name} = v_{name}[_t]")
        self.translator.write(node.body)
        for name in sorted(node.kept):
            self.out(f"v_{name}[_t] = {name}")
        self.out(*self.mode.thread_ends())

    def on_Meeting(self, node: Meeting) -> None:
        sync = node.sync
        mask = f"v_{node.mask}" if node.mask else "_everyone"
        self.everyone |= node.mask is None and (sync.intrinsic.kind == "warp" or bool(node.result))
        self.out(*self.mode.meets(sync.intrinsic.name, sync.lineno, node.mask and mask))
        if sync.intrinsic.kind != "warp":
            self._block_meeting(node, mask)
        elif sync.intrinsic.name in _BITS:
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


def _all_regions(nodes: list):
    for node in nodes:
        if isinstance(node, Region):
            yield node
        elif isinstance(node, Branch):
            yield from _all_regions([*node.body, *node.orelse])
        elif isinstance(node, (Loop, WhenAny)):
            yield from _all_regions(node.body)


def _lines(body: list[ast.stmt]) -> tuple[int, int]:
    numbers = [part.lineno for s in body for part in ast.walk(s) if getattr(part, "lineno", None)]
    return (min(numbers), max(numbers)) if numbers else (0, 0)
