"""Loops inside a thread's turn: they poll where they might not end, and still vectorise."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
import math
from collections.abc import Iterator
from contextlib import contextmanager

from workbench.simt.codegen.emit import Writer
from workbench.simt.codegen.intervals import Interval
from workbench.simt.codegen.trees import has_break
from workbench.simt.planning.analysis import writes
from workbench.simt.planning.proofs import loop_ends
from workbench.simt.runtime.control import Fault


class Loops:
    """The part of the translator that writes loops."""

    def write_While(self, statement: ast.While) -> None:
        """Write a loop with a condition."""
        for name in writes(statement):
            self.ranges.bind(name, None)
        self.out(*self.mode.loop_begins(1 if _runs_once(statement) else None))
        ends = loop_ends(statement, self.normal.body)
        with self.out.block(f"while {self.text(statement.test)}:"), self.polled(statement, ends):
            self.out(*self.mode.turn_begins())
            self._branch(statement.test, True, statement.body)
        self.mode.loop_ends()
        self._leave(statement)

    def write_For(self, statement: ast.For) -> None:
        """Write a loop over values."""
        for name in writes(statement):
            self.ranges.bind(name, None)
        call = statement.iter
        is_range = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "range"
        if not is_range or not isinstance(statement.target, ast.Name):
            self.out(*self.mode.loop_begins(None))
            with self.out.block(f"for {self.text(statement.target)} in {self.text(call)}:"):
                self.out(*self.mode.turn_begins())
                self.write(statement.body)
            self.mode.loop_ends()
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
        self.out(*self.mode.loop_begins(trips))
        if trips is not None and outer * trips * math.prod(self.block) <= STATIC_TRIPS:
            self.trips *= max(trips, 1)
            self.work += self.trips
            with self.out.block(f"for {target} in {self.text(call)}:"):
                self._loop_body(statement, interval)
        elif constant[2] and not has_break(statement.body):
            self._strips(statement, (start, stop), constant[2], interval)
        else:
            head = f"for {target} in {self.text(call)}:"
            with self.out.block(head), self.polled(statement):
                self._loop_body(statement, interval)
        self.mode.loop_ends()
        self.trips = outer

    def _loop_body(self, statement: ast.For, interval: Interval | None) -> None:
        name = statement.target.id
        self.done.add(name)
        self.ranges.bind(name, interval if self.stores.get(name) == 1 else None)
        self.out(*self.mode.turn_begins())
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
            polled = self.polled(statement, per=f"abs({end} - {name})")
            with polled, self.out.block(f"for {target} in range({name}, {end}, {step}):"):
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

    @contextmanager
    def polled(self, loop: ast.stmt, ends: bool = False, per: str = "1") -> Iterator[None]:
        """Write a loop's body inside, and before it the check of its back edge."""
        at, outside, self.work = len(self.out.lines), self.work, 0
        yield
        if not ends:
            cost = 1 + self.work // _TRIPS_PER_FUEL
            poll = Writer()
            poll.depth = self.out.depth
            self.poll(poll, loop.lineno, per if cost == 1 else f"{cost} * {per}")
            self.out.lines[at:at] = poll.lines
        self.work += outside

    def poll(self, out: Writer, line: int, cost: str) -> None:
        """Write the check of a back edge: fuel, and where it is out, whether to go on."""
        out(f"_fuel -= {cost}")
        with out.block("if _fuel < 0:"):
            out("_fuel = refill(_ctrl)")
            with out.block("if _fuel < 0:"):
                out(f"fault({STOPPED}, {line}, {self.turn}, 0, _blk, _ctrl)", "raise Stopped")

    def block_cost(self) -> str:
        """Return what a turn of a loop around thread loops costs: all threads' constant loops."""
        return str(16 + self.work * math.prod(self.block) // _TRIPS_PER_FUEL)


def _runs_once(statement: ast.While) -> bool:
    """Return whether a loop is there only to be left: an inlined function with several returns."""
    return isinstance(statement.test, ast.Constant) and isinstance(statement.body[-1], ast.Break)


STOPPED = int(Fault.STOPPED)
CHUNK = 1 << 16
_TRIPS_PER_FUEL = 8
STATIC_TRIPS = 1 << 22
"""Turns of constant loops that the threads of a block take without asking: 0.2 s at most."""
