"""Loops inside a thread's turn: they poll where they might not end, and still vectorise."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.simt.codegen.intervals import Interval
from workbench.simt.codegen.trees import has_break
from workbench.simt.planning.analysis import writes
from workbench.simt.planning.proofs import loop_ends


class Loops:
    """The part of the translator that writes loops."""

    def write_While(self, statement: ast.While) -> None:
        """Write a loop with a condition."""
        for name in writes(statement):
            self.ranges.bind(name, None)
        self.out(*self.mode.loop_begins(1 if _runs_once(statement) else None))
        with self.out.block(f"while {self.text(statement.test)}:"):
            if not loop_ends(statement, self.normal.body):
                self.poll()
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
        if trips is not None and outer * trips <= STATIC_TRIPS:
            self.trips *= max(trips, 1)
            with self.out.block(f"for {target} in {self.text(call)}:"):
                self._loop_body(statement, interval)
        elif constant[2] and not has_break(statement.body):
            self._strips(statement, (start, stop), constant[2], interval)
        else:
            with self.out.block(f"for {target} in {self.text(call)}:"):
                self.poll()
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


def _runs_once(statement: ast.While) -> bool:
    """Return whether a loop is there only to be left: an inlined function with several returns."""
    return isinstance(statement.test, ast.Constant) and isinstance(statement.body[-1], ast.Break)


CHUNK = 1 << 16


STATIC_TRIPS = 1 << 16
