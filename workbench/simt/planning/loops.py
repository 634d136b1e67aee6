"""Loops around a barrier: native where all threads agree on them, else run under masks."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.simt.frontend.normal_form import assign, load
from workbench.simt.planning.analysis import (
    escapes,
)
from workbench.simt.planning.nodes import (
    LIVE,
    LeaveIfNone,
    Loop,
    Region,
    Unplannable,
    constant_node,
    range_parts,
    under,
)


class Loops:
    """The half of the planner that plans loops around barriers."""

    run_: list[ast.stmt]
    locals: set[str]
    counters: set[str]

    def loop(self, statement: ast.For | ast.While, mask: str | None) -> None:
        """Plan a loop that has a barrier in it."""
        is_for = isinstance(statement, ast.For)
        head = statement.iter if is_for else statement.test
        agreed = self.uniformity.expression(head) and not self.uniformity.divergent_exits(
            statement.body
        )
        leaves = bool(escapes(statement.body, (ast.Return,)))
        native_exit = mask is None or not escapes(statement.body, (ast.Break, ast.Continue))
        if agreed and native_exit and (is_for or not leaves):
            if leaves and mask is None:
                mask = self._start_live(statement)
            outer, self.stack = (
                self.stack,
                [*self.stack, ("native", LIVE)] if leaves else self.stack,
            )
            inside = self.block(statement.body, mask)
            self.nodes.append(Loop(statement, inside, statement.lineno))
            self.stack = outer
            return
        self.masked_loop(statement, mask)

    def masked_loop(self, statement: ast.For | ast.While, mask: str | None) -> None:
        """Plan a loop that threads leave at different turns."""
        stay = self.mask()
        start = load(mask, statement) if mask else constant_node(True, statement)
        self.run_.append(assign(stay, start, statement))
        is_for = isinstance(statement, ast.For)
        before, turn = (self._for_turn if is_for else self._while_turn)(statement, stay, mask)
        self.run_ += before
        self.flush()
        active = stay
        self.stack.append(("loop", stay))
        if escapes(statement.body, (ast.Continue,)):
            active = self.mask()
            turn = [*turn, assign(active, load(stay, statement), statement)]
            self.stack.append(("turn", active))
        body: list = [Region(turn)] if turn else []
        body += [LeaveIfNone(stay), *self.block(statement.body, active)]
        del self.stack[-1 if active == stay else -2 :]
        self.nodes.append(Loop(None, body, statement.lineno))

    def _while_turn(self, statement: ast.While, stay: str, mask: str | None):
        if isinstance(statement.test, ast.Constant) and statement.test.value:
            return [], []
        test = ast.Call(load("bool", statement), [statement.test], [])
        again = assign(stay, ast.copy_location(test, statement), statement)
        return [], under(stay, [again], statement)

    def _for_turn(self, statement: ast.For, stay: str, mask: str | None):
        call = statement.iter
        is_range = isinstance(call, ast.Call) and getattr(call.func, "id", "") == "range"
        if not is_range or not isinstance(statement.target, ast.Name):
            raise Unplannable(
                "Threads disagree on a loop around a barrier that is not over a range.",
                ast.unparse(statement.target),
                "loop over range(...)",
            )
        self.count += 1
        at, stop, step = (f"_{what}{self.count}" for what in ("at", "stop", "step"))
        self.locals |= {at, stop, step}
        self.counters |= {at, stop, step}
        before = [
            assign(name, part, statement)
            for name, part in zip((at, stop, step), range_parts(call), strict=True)
        ]
        text = (
            f"if ({step} > 0 and {at} < {stop}) or ({step} < 0 and {at} > {stop}):\n"
            f"    {statement.target.id} = {at}\n"
            f"    {at} = {at} + {step}\n"
            f"else:\n"
            f"    {stay} = False"
        )
        turn = ast.parse(text).body
        for part in ast.walk(turn[0]):
            ast.copy_location(part, statement)
        return under(mask, before, statement), under(stay, turn, statement)
