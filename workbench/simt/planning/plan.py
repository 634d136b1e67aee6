"""The compiled tier's plan: thread loops between barriers, block-level control around them.

`plan` walks the structured tree once. A run of statements without a barrier becomes a `Region`: one
loop over the block's threads. Control around a barrier stays outside the loop; where threads may
disagree on it, it runs under a *mask*, a boolean that every thread keeps, and so do early returns,
breaks and continues. So a barrier may stand anywhere that structured code can put it
(MCUDA, Stratton et al. 2008, extended by masks as in ispc, Pharr and Mark 2012).

It refuses what needs independent thread scheduling: see `Unplannable`.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast

from workbench.simt.frontend.normal_form import (
    Normal,
    Sync,
    assign,
    deepcopy_tree,
    load,
    published_operand,
)
from workbench.simt.planning.analysis import (
    Uniformity,
    escapes,
    exposed,
    has_sync,
    reads,
    writes,
)
from workbench.simt.planning.escapes import lower_escapes
from workbench.simt.planning.levels import Levels
from workbench.simt.planning.loops import Loops
from workbench.simt.planning.nodes import (
    LIVE,
    Branch,
    Meeting,
    MeetingResult,
    Plan,
    Region,
    Uniform,
    Unplannable,
    WhenAny,
    constant_node,
    regions_of,
    under,
)
from workbench.simt.planning.remat import rematerialisable
from workbench.simt.planning.waiting import spinning


def plan(normal: Normal, arrays: set[str]) -> Plan:
    """Return the regions of a kernel in normal form.

    Parameters
    ----------
    normal : Normal
    arrays : set of str
        Names that hold arrays rather than numbers, from type inference.

    Raises
    ------
    Unplannable
    """
    return _Planner(normal, arrays).run()


class _Planner(Levels, Loops):
    def __init__(self, normal: Normal, arrays: set[str]):
        self.normal, self.body = normal, normal.body
        self.arrays = arrays
        declared = {one.name for one in normal.declarations}
        self.locals = writes(self.body) - declared
        self.uniformity = Uniformity(self.body, self.locals | set(normal.parameters))
        self.uniformity.demote(_published_names(self.body))
        self.masks: set[str] = set()
        self.counters: set[str] = set()
        self.published: dict[str, str] = {}
        self.stack: list[tuple[str, str]] = []
        self.count = 0
        self.run_: list[ast.stmt] = []
        self.nodes: list = []

    def run(self) -> Plan:
        for loop in spinning(self.body, self.normal.resolved):
            raise Unplannable(
                "A thread waits for memory that another thread writes.",
                f"line {loop.lineno}",
                "another tier runs it, thread by thread",
            )
        while self.uniformity.demote(self._assigned_in_regions(self.body)):
            pass
        if any(has_sync(statement) for statement in self.body):
            nodes = self.block(self.body, None)
        else:
            nodes = self._without_sync()
        uniform = self.uniformity.uniform & self.locals
        again = rematerialisable(self.body, self.locals, uniform, self.normal, self.arrays)
        regions = list(regions_of(nodes))
        per_thread = (self.locals | self.masks | set(self.published)) - uniform
        expanded = set(self.published) | self.masks
        for region in regions:
            needed, _ = exposed(region.body, set())
            expanded |= (needed & per_thread) - set(again)
        for region in regions:
            self._connect(region, expanded, again)
        stuck = expanded & self.arrays
        if stuck:
            raise Unplannable(
                "An array view lives across a barrier and cannot be computed again.",
                ", ".join(sorted(stuck)),
                "take the view again after the barrier",
            )
        return Plan(nodes, expanded, self.masks, uniform, self.counters, self.published)

    def _without_sync(self) -> list:
        at, nodes = 0, []
        for k, statement in enumerate(self.body):
            again = writes(statement) & writes(self.body[k + 1 :])
            if again or not self._uniform_simple(statement):
                break  # a name that a thread sets again starts afresh in every thread
            nodes.append(Uniform(statement))
            at += 1
        return [*nodes, Region(lower_escapes(self.body[at:], {}))]

    def _connect(self, region: Region, expanded: set[str], again: dict[str, ast.Assign]) -> None:
        needed, surely = exposed(region.body, set())
        written = writes(region.body) & expanded
        region.kept = written
        region.carried = (needed & expanded) | (written - surely)
        wanted = {name for s in region.body for name in reads(s)} & set(again)
        wanted -= writes(region.body)
        todo, chosen = sorted(wanted), {}
        while todo:
            name = todo.pop()
            if name in chosen:
                continue
            chosen[name] = again[name]
            todo += sorted(reads(again[name]) & set(again))
        order = {id(statement): k for k, statement in enumerate(again.values())}
        unique = {id(statement): statement for statement in chosen.values()}
        region.again = sorted(unique.values(), key=lambda s: order[id(s)])
        for statement in region.again:
            region.carried |= reads(statement) & expanded

    def mask(self) -> str:
        self.count += 1
        name = f"_m{self.count}"
        self.masks.add(name)
        return name

    # -- the walk

    def block(self, body: list[ast.stmt], mask: str | None) -> list:
        outer_nodes, outer_run = self.nodes, self.run_
        self.nodes, self.run_ = [], []
        for at, statement in enumerate(body):
            if mask is None and escapes([statement], (ast.Return,)):
                rest = body[at:]
                if not self.stack and not any(has_sync(one) for one in rest):
                    self.flush()
                    self.nodes.append(Region(lower_escapes(rest, {})))
                    break
                mask = self._start_live(statement)
            self.statement(statement, mask)
        self.flush()
        nodes, self.nodes, self.run_ = self.nodes, outer_nodes, outer_run
        return nodes

    def _start_live(self, like: ast.stmt) -> str:
        self.masks.add(LIVE)
        self.flush()
        self.nodes.append(Region([assign(LIVE, constant_node(True, like), like)]))
        return LIVE

    def statement(self, statement: ast.stmt, mask: str | None) -> None:
        if isinstance(statement, Sync):
            self.meet(statement, mask)
        elif mask is not None and isinstance(statement, (ast.Break, ast.Continue)):
            self.leave(statement, mask)
        elif self._uniform_simple(statement):
            touched = {n for s in self.run_ for n in reads(s) | writes(s)}
            if touched & writes(statement) or (mask and isinstance(statement, ast.While)):
                self.flush()
            self.nodes.append(Uniform(statement))
        elif self._block_level(statement):
            self.flush_unless_if(statement)
            self.control(statement, mask)
        else:
            self.per_thread(statement, mask)

    def flush_unless_if(self, statement: ast.stmt) -> None:
        divergent = isinstance(statement, ast.If) and not self.uniformity.expression(statement.test)
        if not divergent:
            self.flush()

    def flush(self) -> None:
        if self.run_:
            self.nodes.append(Region(self.run_))
            self.run_ = []

    def per_thread(self, statement: ast.stmt, mask: str | None) -> None:
        if escapes([statement]):
            body = lower_escapes([statement], self._clears(statement))
            self.flush()
            self.run_ += under(mask, body, statement)
            self.flush()
        else:
            self.run_ += under(mask, [statement], statement)

    def leave(self, statement: ast.stmt, mask: str) -> None:
        clears = self._clears(statement)[type(statement)]
        self.run_ += under(mask, deepcopy_tree(clears), statement)
        self.flush()

    def _clears(self, like: ast.stmt) -> dict[type, list[ast.stmt]]:
        """Return, for each way to leave, the masks it clears, innermost first."""
        every = [name for _kind, name in self.stack]
        loops = [k for k, (kind, _name) in enumerate(self.stack) if kind == "loop"]
        turns = [k for k, (kind, _name) in enumerate(self.stack) if kind in ("loop", "turn")]
        found = {
            ast.Return: [*every, LIVE] if LIVE in self.masks else every,
            ast.Break: every[loops[-1] :] if loops else [],
            ast.Continue: every[turns[-1] :] if turns else [],
        }
        return {
            kind: [assign(name, constant_node(False, like), like) for name in names]
            for kind, names in found.items()
        }

    def control(self, statement: ast.stmt, mask: str | None) -> None:
        if isinstance(statement, (ast.Break, ast.Continue)):
            self.nodes.append(Uniform(statement))
        elif isinstance(statement, ast.If):
            if self.uniformity.expression(statement.test):
                body = self.block(statement.body, mask)
                orelse = self.block(statement.orelse, mask)
                self.nodes.append(Branch(statement.test, body, orelse))
            else:
                self.divergent_if(statement, mask)
        else:
            self.loop(statement, mask)

    def divergent_if(self, statement: ast.If, mask: str | None) -> None:
        branches = [
            (self.mask(), branch) for branch in (statement.body, statement.orelse) if branch
        ]
        names = [name for name, _branch in branches]
        test = ast.copy_location(ast.Call(load("bool", statement), [statement.test], []), statement)
        taken = [assign(names[0], test, statement)]
        if len(names) == 2:
            opposite = ast.copy_location(
                ast.UnaryOp(ast.Not(), load(names[0], statement)), statement
            )
            taken.append(assign(names[1], opposite, statement))
        clear = [assign(name, constant_node(False, statement), statement) for name in names]
        self.run_ += ([*clear] if mask else []) + under(mask, taken, statement)
        self.flush()
        for name, branch in branches:
            self.stack.append(("if", name))
            self.nodes.append(WhenAny(name, self.block(branch, name)))
            self.stack.pop()

    def meet(self, sync: Sync, mask: str | None) -> None:
        published = None
        value = published_operand(sync)
        if value is not None:
            if not isinstance(sync.args[value], ast.Name):
                raise AssertionError("normal form names the published operand")
            published = sync.args[value].id
            self.published[published] = published
        self.flush()
        result = None
        if sync.target:
            self.count += 1
            result = f"_r{self.count}"
        self.nodes.append(Meeting(sync, mask, published, result))
        if sync.target:
            taken = MeetingResult.of(sync, mask, published, result)
            got = assign(sync.target, taken, sync)
            if sync.target in self.uniformity.uniform and mask is None:
                self.nodes.append(Uniform(got))
            else:
                self.run_ += under(mask, [got], sync)


def _published_names(body: list[ast.stmt]) -> set[str]:
    """Return the names that other threads read at a meeting: every thread must keep its own."""
    found: set[str] = set()
    for part in (part for statement in body for part in ast.walk(statement)):
        if isinstance(part, Sync) and (at := published_operand(part)) is not None:
            found |= reads(part.args[at])
    return found
