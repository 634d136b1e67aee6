"""From structured code to states: straight code that ends by going on elsewhere or by waiting.

Only what a thread may wait inside is taken apart; a loop without a barrier stays a loop. Each state
is a list of statements whose last one says what comes next: `Goto`, `Back`, `Suspend`, `Still` or
`End`; an ``if`` at the end of a state ends so on both sides.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from workbench.simt.codegen.trees import expression
from workbench.simt.frontend.inlining import placed
from workbench.simt.frontend.normal_form import Normal, Sync, assign, deepcopy_tree
from workbench.simt.irregular.nodes import (
    Back,
    End,
    Goto,
    Inlined,
    LeaveInlined,
    Received,
    Still,
    Suspend,
    copy_of,
    jump_to,
    jumps,
)
from workbench.simt.irregular.normal import is_range
from workbench.simt.planning.analysis import escapes
from workbench.simt.planning.proofs import loop_ends, waits_for_memory
from workbench.simt.planning.waiting import may_wait

_DEEPEST = 12
"""How many states are written inside each other before they get a number of their own."""


@dataclass
class Flow:
    """A function as states.

    Attributes
    ----------
    states : dict
        Number -> statements. Threads begin in state 0.
    lines : dict
        Number -> source line.
    counters : set of str
        Names that the loops here count with, all int64.
    """

    states: dict[int, list[ast.stmt]]
    lines: dict[int, int]
    counters: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Ways:
    """Where the ways to leave a piece of code lead."""

    leave: ast.stmt | None = None
    turn: ast.stmt | None = None
    inlined: tuple[tuple[str, ast.stmt], ...] = ()


def flow(normal: Normal, kinds: dict) -> Flow:
    """Return the states of a kernel in normal form.

    Parameters
    ----------
    normal : Normal
    kinds : dict
        Name -> Numba type, from inference.
    """
    made = _Flattener(normal, kinds)
    made.state(0, made.block(normal.body, End(), _Ways()), normal.body[0] if normal.body else None)
    return Flow(_joined(made.states), made.lines, made.counters)


class _Flattener:
    def __init__(self, normal: Normal, kinds: dict):
        self.normal, self.kinds = normal, kinds
        self.states: dict[int, list[ast.stmt]] = {}
        self.lines: dict[int, int] = {}
        self.counters: set[str] = set()
        self.count = self.temps = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def state(self, number: int, body: list[ast.stmt], like: ast.AST | None) -> int:
        self.states[number] = body
        self.lines[number] = getattr(like, "lineno", self.normal.resolved.source.first_line)
        return number

    def label(self, body: list[ast.stmt], like: ast.AST) -> ast.stmt:
        """Return the way to a new state; a lone jump is its own way."""
        if len(body) == 1 and isinstance(body[0], (Goto, Back, End)):
            return body[0]
        return jump_to(Goto, self.state(self.number(), body, like))

    def block(self, body: list[ast.stmt], then: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        """Return the code of some statements, after which `then` follows."""
        out: list[ast.stmt] = []
        for at, statement in enumerate(body):
            if not self.flows(statement):
                out.append(statement)
                continue
            rest = body[at + 1 :]
            after = self.label(self.block(rest, then, ways), rest[0]) if rest else then
            return out + self.taken_apart(statement, after, ways)
        return [*out, copy_of(then)]

    def flows(self, statement: ast.stmt) -> bool:
        """Whether a thread may wait inside a statement, or leave it for code that is apart."""
        if isinstance(statement, (ast.Return, ast.Break, ast.Continue)):
            return True
        for part in ast.walk(statement):
            if isinstance(part, (Sync, Inlined, LeaveInlined)):
                return True
            if may_wait(part, self.normal.body):
                return True
            if isinstance(part, (ast.For, ast.While)) and (
                part.orelse or escapes([part], (ast.Return,))
            ):
                return True
        return bool(escapes([statement]))

    def taken_apart(self, statement: ast.stmt, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        return getattr(self, f"on_{type(statement).__name__}")(statement, after, ways)

    def on_Sync(self, sync: Sync, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        got: list[ast.stmt] = []
        if sync.target:
            value = Received()
            value.sync = sync
            got = [assign(sync.target, value, sync)]
        wait = Suspend(sync.args)
        wait.sync, wait.target = sync, self.state(self.number(), [*got, copy_of(after)], sync)
        return [ast.copy_location(wait, sync)]

    def on_If(self, statement: ast.If, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        body = self.block(statement.body, after, ways)
        orelse = self.block(statement.orelse, after, ways)
        return [ast.copy_location(ast.If(statement.test, body, orelse), statement)]

    def on_Inlined(self, statement: Inlined, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        ways = replace(ways, inlined=(*ways.inlined, (statement.label, after)))
        return self.block(statement.body, after, ways)

    def on_LeaveInlined(self, statement: LeaveInlined, after, ways: _Ways) -> list[ast.stmt]:
        return [copy_of(dict(ways.inlined)[statement.label])]

    def on_Return(self, statement: ast.Return, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        return [End()]

    def on_Break(self, statement: ast.Break, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        return [copy_of(ways.leave)]

    def on_Continue(self, statement: ast.Continue, after, ways: _Ways) -> list[ast.stmt]:
        return [copy_of(ways.turn)]

    def on_While(self, loop: ast.While, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        done = self.label(self.block(loop.orelse, after, ways), loop) if loop.orelse else after
        head = self.number()
        if waits_for_memory(loop) and not any(self.flows(one) for one in loop.body):
            look = ast.If(loop.test, [*loop.body, jump_to(Still, head)], [copy_of(done)])
            self.state(head, [ast.copy_location(look, loop)], loop)
            first = ast.If(loop.test, [*loop.body, jump_to(Back, head)], [copy_of(done)])
            return [ast.copy_location(deepcopy_tree(first), loop)]
        ends = loop_ends(loop, self.normal.body)
        turn = jump_to(Goto if ends else Back, head)
        inner = replace(ways, leave=after, turn=turn)
        body = self.block(loop.body, turn, inner)
        test = ast.copy_location(ast.If(loop.test, body, [copy_of(done)]), loop)
        always = isinstance(loop.test, ast.Constant) and loop.test.value
        self.state(head, body if always else [test], loop)
        return [jump_to(Goto, head)]

    def on_For(self, loop: ast.For, after: ast.stmt, ways: _Ways) -> list[ast.stmt]:
        done = self.label(self.block(loop.orelse, after, ways), loop) if loop.orelse else after
        self.temps += 1
        at, stop = f"_count{self.temps}", f"_until{self.temps}"
        begin, test, value, step = self._counting(loop, at, stop)
        self.counters |= {name.targets[0].id for name in begin}
        head = self.number()
        turn = jump_to(Back, head)
        inner = replace(ways, leave=after, turn=turn)
        take = ast.Assign([loop.target], value)
        more = assign(at, expression(f"{at} + {step}"), loop)
        body = [placed(take, loop), placed(more, loop), *self.block(loop.body, turn, inner)]
        self.state(head, [placed(ast.If(test, body, [copy_of(done)]), loop)], loop)
        return [*(placed(one, loop) for one in begin), jump_to(Goto, head)]

    def _counting(self, loop: ast.For, at: str, stop: str):
        """Return how a loop's counter starts, whether it goes on, its variable, and its step."""
        zero, one = ast.Constant(0), ast.Constant(1)
        if is_range(loop.iter):
            args = loop.iter.args
            first, last, stride = {
                1: (zero, *args, one), 2: (*args, one), 3: tuple(args)
            }[len(args)]  # fmt: skip
            kind = self.kinds.get(getattr(loop.target, "id", ""), "int64")
            value = expression(f"_np.{kind}({at})")
        else:
            first, last, stride = zero, expression(f"len({loop.iter.id})"), one
            value = expression(f"{loop.iter.id}[{at}]")
        ends, step = [(at, first), (stop, last)], _whole(stride)
        up, down = expression(f"{at} < {stop}"), expression(f"{at} > {stop}")
        if step:
            test = down if step.startswith("-") else up
        else:
            step = f"_stride{self.temps}"
            ends.append((step, stride))
            test = ast.IfExp(expression(f"{step} > 0"), up, down)
        begin = [assign(n, ast.Call(expression("_np.int64"), [v], []), loop) for n, v in ends]
        return begin, test, value, step


def _whole(node: ast.expr) -> str:
    """Return a literal whole number as text, or ""."""
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    plain = isinstance(inner, ast.Constant) and type(inner.value) is int
    sign = isinstance(node, ast.Constant) or isinstance(getattr(node, "op", None), ast.USub)
    return ast.unparse(node) if plain and sign else ""


def _joined(states: dict[int, list[ast.stmt]]) -> dict[int, list[ast.stmt]]:
    """Write a state that only one other goes on to into that one; leave out what none reaches."""
    count: dict[int, int] = {0: 1}
    resumed = {0}
    for body in states.values():
        for jump in jumps(body):
            if not isinstance(jump, End):
                count[jump.target] = count.get(jump.target, 0) + 1
                resumed |= {jump.target} if not isinstance(jump, Goto) else set()
    single = {number for number, times in count.items() if times == 1} - resumed
    joined: dict[int, list[ast.stmt]] = {}

    def written(body: list[ast.stmt], depth: int) -> list[ast.stmt]:
        last = body[-1]
        if isinstance(last, ast.If):
            last.body = written(last.body, depth + 1)
            last.orelse = written(last.orelse, depth + 1)
        elif isinstance(last, Goto) and last.target in single:
            if depth < _DEEPEST:
                return body[:-1] + written(states[last.target], depth)
            reach(last.target)
        elif not isinstance(last, End):
            reach(last.target)
        return body

    def reach(number: int) -> None:
        if number not in joined:
            joined[number] = []
            joined[number] = written(states[number], 0)

    reach(0)
    return dict(sorted(joined.items()))
