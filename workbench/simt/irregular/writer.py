"""The states of a kernel as source for `numba.njit`: one function that gives threads their turns.

Its shape: for every block whose turn it is, for every thread that is ready, go through states until
the thread waits or has returned. A state loads what it needs from the thread's frame and stores
what later states read, so that nothing lives in the machine from one state to the next.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from numba import types

from workbench.simt.codegen.declared import DeclaredArray, dtype_text
from workbench.simt.codegen.device_functions import START_FUEL
from workbench.simt.codegen.emit import Writer
from workbench.simt.codegen.translate import Translator
from workbench.simt.codegen.trees import expression
from workbench.simt.frontend.normal_form import Sync, published_operand
from workbench.simt.irregular.cells import bytes_of
from workbench.simt.irregular.flow import Flow
from workbench.simt.irregular.frames import Layout, type_text
from workbench.simt.irregular.meetings import HEARD, KINDS, OPERAND, SAID
from workbench.simt.irregular.nodes import Back, End, Goto, Jump, Received, Still, Suspend
from workbench.simt.irregular.scheduler import DONE, LAST, NEXT, SLOT_BLOCK, SLOT_FRESH, SLOT_PC
from workbench.simt.planning.nodes import Unplannable

HEADER = """import numpy as _np
from workbench.simt.irregular.cells import (
    array_at, call_turn, cell, claimed, fill_bytes, put_int, put_real, take_int, take_real,
    vector_at,
)
from workbench.simt.codegen.raw import address_of, peek_at, poke_at
"""
PARAMETERS = ("_homes", "_order")
"""What `launch` hands over: a counter of workers, the scheduler's address and those of the workers'
memory; and the order in which the threads of a block take turns."""
WORKERS = 2
"""Where in the first of them the workers' addresses begin."""
_ROUNDS = 64
"""How often a thread may go round a loop that waits before the others have their turn."""
_SHUFFLES = ("shfl_sync", "shfl_up_sync", "shfl_down_sync", "shfl_xor_sync")


class StateTranslator(Translator):
    """Writes the statements of one state; `layout` and `keys` are set by `StateWriter`."""

    layout: Layout
    keys: dict

    def key(self, sync: Sync) -> int:
        """Return the number by which threads know that they meet at the same place."""
        name, number = sync.intrinsic.name, 0
        at = published_operand(sync)
        kind = KINDS[name]
        if at is not None:
            said = str(self.kinds.get(getattr(sync.args[at], "id", "")))
            number = self.keys.setdefault((name, sync.lineno, said), len(self.keys))
            number %= 128
            real = isinstance(self._said(sync), types.Float)
            kind += name.startswith("match") and real
        return sync.lineno << 12 | number << 5 | kind

    def _said(self, sync: Sync) -> types.Type:
        at = published_operand(sync)
        kind = self.kinds.get(getattr(sync.args[at], "id", ""), types.int64)
        return types.unliteral(kind)

    def store_all(self, jump: Jump) -> None:
        """Write what later states read into the thread's frame."""
        for name in sorted(jump.stored):
            self.out(f"put_{name}(_frame + {self.layout.cells[name][0]}, {name})")

    def write_Goto(self, jump: Goto) -> None:
        """Go on with another state."""
        self.store_all(jump)
        self.out(f"_pc, _jumped = {jump.target}, 1", "continue")

    def write_Back(self, jump: Back) -> None:
        """Go round a loop, and now and then let the others have their turn."""
        self.store_all(jump)
        self.out(f"_pc, _jumped = {jump.target}, 1", "_rounds -= 1")
        with self.out.block("if _rounds < 0:"):
            self.out("_moved += 1", "break")
        self.out("continue")

    def write_Still(self, jump: Still) -> None:
        """Look at memory again in the next turn; a thread that only looked did not move."""
        self.store_all(jump)
        self.out(f"_pc = {jump.target}", "_went_on += _jumped", "break")

    def write_End(self, _: End) -> None:
        """Return."""
        self.out(f"_pc = {DONE}", "_went_on += 1", "break")

    def write_Suspend(self, jump: Suspend) -> None:
        """Say what the others will hear, and wait."""
        sync, pcs = jump.sync, f"_slot + {8 * SLOT_PC}"
        kind, args = sync.intrinsic.kind, sync.args
        self.store_all(jump)
        threads = self.layout.threads
        self.out(f"poke_at({pcs}, _t + {threads}, {self.key(sync)})")
        if kind == "warp":
            mask = f"_np.int64({self.text(args[0])}) & 0xFFFFFFFF" if args else "0xFFFFFFFF"
            self.out(f"poke_at({pcs}, _t + {2 * threads}, {mask})")
        at = published_operand(sync)
        if at is not None:
            self._say(sync, self.text(args[at]))
        if len(args) > 2:
            self.out(f"put_int(_frame + {OPERAND}, {self.text(args[2])})")
        self.out(f"_pc = {-1 - jump.target}", "_went_on += 1", "break")

    def _say(self, sync: Sync, value: str) -> None:
        name, kind = sync.intrinsic.name, self._said(sync)
        if name in _SHUFFLES:
            if not isinstance(kind, (types.Number, types.Boolean)) or bytes_of(kind) > 16:
                raise Unplannable("A shuffle takes a number.", f"{kind}", "shuffle its parts")
            self.out(f"put_said_{kind}(_frame + {SAID}, {value})")
            self.said.add(kind)
        elif name.startswith("match"):
            put = "put_real" if isinstance(kind, types.Float) else "put_int"
            self.out(f"{put}(_frame + {SAID}, {value})")
        else:
            self.out(f"put_int(_frame + {SAID}, 1 if {value} else 0)")

    def visit_Received(self, node: Received):
        """Write what the thread has heard."""
        sync, heard = node.sync, f"take_int(_frame + {HEARD})"
        name = sync.intrinsic.name
        if name in _SHUFFLES:
            kind = self._said(sync)
            self.said.add(kind)
            return expression(f"take_said_{kind}(_frame + {HEARD})")
        if name in ("all_sync", "any_sync", "eq_sync"):
            return expression(f"{heard} != 0")
        if name in ("ballot_sync", "activemask", "match_any_sync"):
            return expression(f"_np.uint32({heard})")
        if name == "match_all_sync":
            same = f"take_int(_frame + {HEARD + 8}) != 0"
            return expression(f"(_np.uint32({heard}), {same})")
        return expression(heard if published_operand(sync) is not None else "0")


class StateWriter:
    """Writes the kernel from its states."""

    def __init__(
        self,
        flow: Flow,
        layout: Layout,
        loads: dict[int, set[str]],
        translator: StateTranslator,
        arrays: list[DeclaredArray],
    ):
        self.flow, self.layout, self.loads, self.arrays = flow, layout, loads, arrays
        self.translator, self.mode = translator, translator.mode
        translator.layout, translator.keys, translator.said = layout, {}, set()

    def write(self, name: str, parameters: list[str]) -> str:
        """Return the kernel's text, with the makers of its arrays and cells before it."""
        out = Writer()
        with out.block(f"def {name}({', '.join(parameters)}):"):
            out(f"_fuel = {START_FUEL}", "_ctrl[10] = stack_address()")
            out("_control, _turns = address_of(_ctrl), address_of(_order)")
            out("_homes_at = address_of(_homes)")
            out(f"_home = peek_at(_homes_at, claimed(_homes_at) + {WORKERS})")
            out(f"poke_at(_home, {NEXT}, _first)", f"poke_at(_home, {LAST}, _last)")
            out("_t, _blk = 0, _first")
            out("_scheduler = peek_at(_homes_at, 1)", "_moved = _went_on = 0")
            with out.block("while True:"):
                self.translator.poll(out, 0, str(self.layout.threads))
                out("_slot = call_turn(_scheduler, _home, _moved, _went_on, _control)")
                with out.block("if _slot == 0:"):
                    out("break")
                self._block(out)
        return "\n".join([HEADER, *self._makers(), "", "", out.text()])

    def _makers(self) -> list[str]:
        made = []
        for name, (_at, kind) in sorted(self.layout.cells.items()):
            made.append(f"take_{name}, put_{name} = cell({type_text(kind, name)})")
        for kind in sorted(self.translator.said, key=str):
            made.append(f"take_said_{kind}, put_said_{kind} = cell({type_text(kind, 'a shuffle')})")
        for one in self.arrays:
            if one.dynamic:
                made.append(f"make_{one.name} = vector_at({dtype_text(one.element)})")
            elif one.kind in ("shared", "local"):
                made.append(f"make_{one.name} = array_at({one.shape!r}, {dtype_text(one.element)})")
        return made

    def _block(self, out: Writer) -> None:
        """Write a block's turn."""
        layout, dynamic = self.layout, f"_slot + {self.layout.block_bytes}"
        out(f"_blk = peek_at(_slot, {SLOT_BLOCK})", "_bx = _blk % _gx")
        out("_by = _blk // _gx % _gy", "_bz = _blk // (_gx * _gy)")
        for one in self.arrays:
            if one.dynamic:
                out(f"{one.name} = make_{one.name}({dynamic}, _shared_bytes)")
            elif one.kind == "shared":
                out(f"{one.name} = make_{one.name}(_slot + {layout.arrays[one.name]})")
        with out.block(f"if peek_at(_slot, {SLOT_FRESH}):"):
            out(f"poke_at(_slot, {SLOT_FRESH}, 0)")
            for one in self.arrays:
                if one.kind == "shared" and not one.dynamic:
                    at = layout.arrays[one.name]
                    out(f"fill_bytes(_slot + {at}, {one.nbytes}, 255)")
            if any(one.dynamic for one in self.arrays):
                out(f"fill_bytes({dynamic}, _shared_bytes, 255)")
            if layout.cells:
                out(f"fill_bytes(_slot + {layout.frames}, {layout.threads * layout.frame}, 0)")
            out(*self.mode.block_begins())
        out("_moved = _went_on = 0")
        with out.block(f"for _turn in range({layout.threads}):"):
            self._thread(out)

    def _thread(self, out: Writer) -> None:
        """Write a thread's turn."""
        layout, (x, y, _z) = self.layout, self.translator.block
        out("_t = peek_at(_turns, _turn)", f"_pc = peek_at(_slot, _t + {SLOT_PC})")
        with out.block("if _pc < 0:"):
            out("continue")
        out(f"_frame = _slot + {layout.frames} + _t * {layout.frame}")
        out(f"_tx = _t % {x}", f"_ty = _t // {x} % {y}", f"_tz = _t // {x * y}")
        for one in self.arrays:
            if one.kind == "local":
                out(f"{one.name} = make_{one.name}(_frame + {layout.arrays[one.name]})")
        out(*self.mode.thread_begins(), f"_rounds, _jumped = {_ROUNDS}, 0")
        with out.block("while True:"):
            for place, (number, body) in enumerate(self.flow.states.items()):
                with out.block(f"{'elif' if place else 'if'} _pc == {number}:"):
                    self._state(out, number, body)
        out(f"poke_at(_slot, _t + {SLOT_PC}, _pc)", *self.mode.thread_ends())

    def _state(self, out: Writer, number: int, body: list[ast.stmt]) -> None:
        self.translator.out = out
        self.translator.begin_region(body, fast=False)
        for name in sorted(self.loads[number]):
            out(f"{name} = take_{name}(_frame + {self.layout.cells[name][0]})")
        self.translator.write(body)
