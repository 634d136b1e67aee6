"""Statements in lockstep: every thread takes the same step, under a mask of those that take part.

Divergence is masks: a branch runs once for the lanes that take it and once for the others, a loop
runs until no lane is left in it. Lanes that return are gone for good, as on a GPU; a barrier asks
whether every live lane of its block is there. A block of statements returns the mask of the lanes
that go on after it, or None where no lane does.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Resolved
from workbench.simt.lockstep.arrays import View
from workbench.simt.lockstep.numbers import CannotLockstep, binary, choose, strong, truth
from workbench.simt.lockstep.operations import Operations
from workbench.simt.lockstep.state import Frame, Mask

_DEEPEST = 40
"""Calls of device functions inside each other; deeper ones recurse, which is the compiler's."""


class Machine(Operations):
    """Runs one kernel over some lanes."""

    at: tuple[int, Any] = (0, ())

    def run(self, resolved: Resolved, args: tuple) -> None:
        """Run the kernel; `args` are NumPy arrays and numbers."""
        given = dict(zip(resolved.source.parameters, map(self._argument, args), strict=True))
        self.call(resolved, given, self.lanes.full)

    def state(self) -> str:
        """Return where the threads are, for whoever stopped the launch."""
        line, active = self.at
        inside = np.flatnonzero(active)
        if not line or not len(inside):
            return "no thread was inside a loop"
        thread, block = self.lanes.who(int(inside[0]))
        return (
            f"{len(inside)} of {self.lanes.count} threads were in the loop at line {line}, the "
            f"first of them thread {thread} of block {block}"
        )

    def _argument(self, value: Any) -> Any:
        return View(value, undo=self.undo) if isinstance(value, np.ndarray) else strong(value)

    def call(self, resolved: Resolved, given: dict[str, Any], mask: Mask) -> Any:
        """Run a function for the lanes of a mask, and return what it returns."""
        if len(self.frames) > _DEEPEST:
            raise CannotLockstep("functions that call each other too deep")
        self.frames.append(Frame(resolved, {name: (v, mask) for name, v in given.items()}))
        self.block(resolved.tree.body, mask)
        return self.frames.pop().result

    def _of_DeviceCall(self, node: DeviceCall, mask: np.ndarray) -> Any:
        callee = node.function
        names = callee.source.parameters
        given = {name: self.value(arg, mask) for name, arg in zip(names, node.args, strict=False)}
        given.update({word.arg: self.value(word.value, mask) for word in node.keywords})
        defaults = callee.tree.args.defaults
        for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            if name not in given:
                given[name] = self.value(value, mask)
        if set(given) != set(names):
            raise CannotLockstep(f"a call of {callee.name} with other arguments")
        return self.call(callee, given, mask)

    # -- statements

    def block(self, body: list[ast.stmt], mask: Mask | None) -> Mask | None:
        """Run statements in order for the lanes of a mask; return the lanes that go on."""
        for statement in body:
            if mask is None:
                return None
            mask = getattr(self, f"_on_{type(statement).__name__}")(statement, mask)
        return mask

    def _on_Pass(self, statement: ast.Pass, mask: Mask) -> Mask:
        return mask

    def _on_Expr(self, statement: ast.Expr, mask: Mask) -> Mask:
        value = statement.value
        if isinstance(value, Intrinsic) and value.intrinsic.kind == "atomic":
            self.atomic(value, mask, wanted=False)
        elif not isinstance(value, ast.Constant):
            self.value(value, mask)
        return mask

    def _on_Assign(self, statement: ast.Assign, mask: Mask) -> Mask:
        value = self.value(statement.value, mask)
        for target in statement.targets:
            self.assign(target, value, mask)
        return mask

    def _on_AnnAssign(self, statement: ast.AnnAssign, mask: Mask) -> Mask:
        if statement.value is not None:
            self.assign(statement.target, self.value(statement.value, mask), mask)
        return mask

    def _on_AugAssign(self, statement: ast.AugAssign, mask: Mask) -> Mask:
        target = statement.target
        if isinstance(target, ast.Name):
            old, _ = self.frame.names.get(target.id, (None, None))
            self.bind(target.id, self._updated(old, statement, mask), mask)
            return mask
        if not isinstance(target, ast.Subscript):
            raise CannotLockstep(f"an update of {ast.unparse(target)}")
        view, place = self.place(target, mask)
        new = self._updated(view.load(place), statement, mask)
        view.store(place, new, mask, mask is self.lanes.full)
        return mask

    def _updated(self, old: Any, statement: ast.AugAssign, mask: Mask) -> Any:
        literal = statement.value.value if isinstance(statement.value, ast.Constant) else None
        exponent = literal if type(literal) is int else None
        return binary(statement.op, old, self.value(statement.value, mask), exponent)

    def assign(self, target: ast.expr, value: Any, mask: Mask) -> None:
        """Give a target its value in the lanes of a mask."""
        if isinstance(target, ast.Name):
            self.bind(target.id, value, mask)
        elif isinstance(target, ast.Tuple):
            if not isinstance(value, tuple) or len(value) != len(target.elts):
                raise CannotLockstep(f"an assignment to {ast.unparse(target)}")
            for part, one in zip(target.elts, value, strict=True):
                self.assign(part, one, mask)
        elif isinstance(target, ast.Subscript):
            view, place = self.place(target, mask)
            view.store(place, value, mask, mask is self.lanes.full)
        else:
            raise CannotLockstep(f"an assignment to {ast.unparse(target)}")

    def _on_If(self, statement: ast.If, mask: Mask) -> Mask | None:
        taken, other = self.split(mask, truth(self.value(statement.test, mask)))
        after = self.block(statement.body, taken)
        rest = self.block(statement.orelse, other)
        return self.join(mask, after, rest)

    def _on_Return(self, statement: ast.Return, mask: Mask) -> None:
        frame = self.frame
        if statement.value is not None and len(self.frames) > 1:
            value = self.value(statement.value, mask)
            frame.result = value if frame.result is None else choose(mask, value, frame.result)
        if len(self.frames) == 1:
            self.live = self.live & ~mask

    def _on_Break(self, statement: ast.Break, mask: Mask) -> None:
        loop = self.frame.loops[-1]
        loop[0] = self.join(self.lanes.full, loop[0], mask)

    def _on_Continue(self, statement: ast.Continue, mask: Mask) -> None:
        loop = self.frame.loops[-1]
        loop[1] = self.join(self.lanes.full, loop[1], mask)

    # -- loops

    def _on_While(self, statement: ast.While, mask: Mask) -> Mask | None:
        def turn(active: Mask) -> tuple[Mask | None, Mask | None]:
            return self.split(active, truth(self.value(statement.test, active)))

        return self._loop(statement, mask, turn)

    def _on_For(self, statement: ast.For, mask: Mask) -> Mask | None:
        return self._loop(statement, mask, self._turns(statement, mask))

    def _loop(self, statement: Any, mask: Mask, turn: Any) -> Mask | None:
        """Run a loop: ``turn(active)`` splits off the lanes that have come to its end."""
        loops, active, done = self.frame.loops, mask, None
        while active is not None:
            self.at = statement.lineno, active
            self.poll()
            going, ended = turn(active)
            done = self.join(self.lanes.full, done, ended)
            if going is None:
                break
            loops.append([None, None])
            after = self.block(statement.body, going)
            broke, again = loops.pop()
            done = self.join(self.lanes.full, done, broke)
            active = self.join(going, after, again)
        return self.join(mask, done)

    def _turns(self, statement: ast.For, mask: Mask) -> Any:
        call, target = statement.iter, statement.target
        if isinstance(call, ast.Call) and self.meaning(call.func) is range:
            ends = [self.value(part, mask) for part in call.args]
            zero, one = np.int64(0), np.int64(1)
            start, stop, step = {1: [zero, *ends, one], 2: [*ends, one], 3: ends}[len(ends)]
            if all(not end.ndim for end in (start, stop, step)):
                values = iter(range(int(start), int(stop), int(step)))
                return self._next_of((np.int64(v) for v in values), target)
            return self._next_in_range(start.astype(np.int64), stop, step, target)
        values = self.value(call, mask)
        if not isinstance(values, tuple):
            raise CannotLockstep(f"a loop over {ast.unparse(call)}")
        return self._next_of(iter(values), target)

    def _next_of(self, values: Any, target: ast.expr) -> Any:
        def turn(active: Mask) -> tuple[Mask | None, Mask | None]:
            value = next(values, None)
            if value is None:
                return None, active
            self.assign(target, value, active)
            return active, None

        return turn

    def _next_in_range(self, start: Any, stop: Any, step: Any, target: ast.expr) -> Any:
        at = start

        def turn(active: Mask) -> tuple[Mask | None, Mask | None]:
            nonlocal at
            inside = ((step > 0) & (at < stop)) | ((step < 0) & (at > stop))
            going, ended = self.split(active, inside)
            if going is not None:
                self.assign(target, at, going)
                at = at + step
            return going, ended

        return turn
