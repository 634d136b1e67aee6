"""What must happen before what: the order that pipes, queues, events and barriers promise.

`link` joins the programs of all cores into one graph and numbers the instructions in an order that
the graph allows, nearest to the kernel's own. Within a core, happens-before is a clock with one
hand for each pipe; between cores only `sync_all` orders anything, so an epoch number says all.
Every order of a recording that the graph allows is one that the hardware may take.
"""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, field

from workbench.aicore.findings import AICoreError, Finding
from workbench.aicore.machine import PIPES
from workbench.aicore.recording.instructions import Instruction, Recording

PIPE_COUNT = len(PIPES)


@dataclass(repr=False)
class Order:
    """A recording with its happens-before.

    Attributes
    ----------
    nodes : list of Instruction
        In an order that is allowed; ``node.index`` is its place.
    before : list of list of int
        For each node, those that directly precede it.
    clocks : list of list of int
        For each node, how many instructions of each pipe of its core happen before it, itself
        included.
    sequence : list of int
        Place of a node in its pipe, from 1; 0 for barriers.
    epochs : list of int
        How many `sync_all` it stands behind.
    findings : list of Finding
        Events that are never waited for.
    """

    nodes: list[Instruction]
    before: list[list[int]] = field(default_factory=list)
    clocks: list[list[int]] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    epochs: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def ordered(self, first: int, second: int) -> bool:
        """Return whether node `first` happens before node `second` in every allowed order."""
        a, b = self.nodes[first], self.nodes[second]
        if a.core != b.core:
            return self.epochs[first] < self.epochs[second]
        return self.clocks[second][a.pipe] >= self.sequence[first]

    def ancestors(self, node: int) -> set[int]:
        """Return everything that must happen before a node."""
        found: set[int] = set()
        todo = list(self.before[node])
        while todo:
            one = todo.pop()
            if one not in found:
                found.add(one)
                todo += self.before[one]
        return found


def link(recording: Recording) -> Order:
    """Return the order of a recording.

    Raises
    ------
    AICoreError
        Of kind ``unmatched_wait`` or ``deadlock``: the cores would hang, and nothing can be read.
    """
    edges: dict[Instruction, list[Instruction]] = defaultdict(list)
    arrivals: list[list[Instruction]] = []
    leaves: list[list[Instruction]] = []
    findings = _event_edges(recording.programs, edges)
    for program in recording.programs:
        _pipe_edges(program, edges)
        arrivals.append([one for one in program if one.kind == "arrive"])
        leaves.append([one for one in program if one.kind == "leave"])
    _sync_edges(recording, arrivals, leaves, edges)
    order = Order(_sorted(recording, edges), findings=findings)
    order.before = [[one.index for one in edges[node]] for node in order.nodes]
    _clocks(order)
    return order


def _pipe_edges(program: list[Instruction], edges: dict) -> None:
    last: list[Instruction | None] = [None] * PIPE_COUNT
    for one in program:
        if one.pipe >= 0:
            if last[one.pipe] is not None:
                edges[one].append(last[one.pipe])
            last[one.pipe] = one
        else:
            held = [last[pipe] for pipe in one.pipes]
            edges[one] += {id(before): before for before in held if before is not None}.values()
            last[one.pipes.start : one.pipes.stop] = [one] * len(one.pipes)


def _event_edges(programs: list[list[Instruction]], edges: dict) -> list[Finding]:
    sets: dict[tuple, list[Instruction]] = defaultdict(list)
    waits: dict[tuple, list[Instruction]] = defaultdict(list)
    for program in programs:
        for one in program:
            if one.key is not None:
                (sets if one.kind == "set" else waits)[one.core, one.key].append(one)
    findings = []
    for key, marks in sets.items():
        if key[1][0] != "queue":
            findings += [
                Finding(
                    "unmatched_set",
                    f"Event {mark.name} is set and never waited for.",
                    (mark.site,),
                    advice="every set has one wait",
                )
                for mark in marks[len(waits[key]) :]
            ]
    for key, waiting in waits.items():
        marks = sets.get(key, [])
        if len(waiting) > len(marks):
            one = waiting[len(marks)]
            raise AICoreError(
                "unmatched_wait",
                f"Event {one.name} is waited for and never set: a real core would hang here.",
                f"{len(marks)} sets, {len(waiting)} waits on core {one.core}",
                "set the same event with the same number on the source pipe",
                (one.site,),
            )
        for mark, one in zip(marks, waiting, strict=False):
            edges[one].append(mark)
    return findings


def _sync_edges(recording: Recording, arrivals: list, leaves: list, edges: dict) -> None:
    counts = [len(one) for one in arrivals]
    if len(set(counts)) > 1:
        short = counts.index(min(counts))
        long = counts.index(max(counts))
        missed = arrivals[long][counts[short]]
        subs = len(recording.programs) // recording.cores
        raise AICoreError(
            "deadlock",
            "Not every core reaches this sync_all: a real run would hang here.",
            f"core {short // subs} calls it {counts[short]} times, core {long // subs} "
            f"{counts[long]} times",
            "call sync_all outside of conditions that depend on the core",
            (missed.site,),
        )
    for together, after in zip(zip(*arrivals, strict=True), zip(*leaves, strict=True), strict=True):
        for one in after:
            edges[one] += together


def _sorted(recording: Recording, edges: dict) -> list[Instruction]:
    """Return a topological order, nearest to program order, and number the instructions."""
    issued = sorted((one for some in recording.programs for one in some), key=lambda one: one.step)
    place = {one: number for number, one in enumerate(issued)}
    after: dict[Instruction, list[Instruction]] = defaultdict(list)
    missing = {}
    for program in recording.programs:
        for one in program:
            missing[one] = len(edges[one])
            for earlier in edges[one]:
                after[earlier].append(one)
    ready = [(place[one], one) for one, count in missing.items() if not count]
    heapq.heapify(ready)
    nodes = []
    while ready:
        _, one = heapq.heappop(ready)
        one.index = len(nodes)
        nodes.append(one)
        for later in after[one]:
            missing[later] -= 1
            if not missing[later]:
                heapq.heappush(ready, (place[later], later))
    if len(nodes) < recording.size:
        stuck = min((one for one in missing if missing[one]), key=lambda one: place[one])
        raise AICoreError(
            "deadlock",
            "Pipes wait for one another in a circle: a real core would hang here.",
            f"{stuck.name} can never begin",
            "set an event before the instruction that waits for its effect",
            (stuck.site,),
        )
    return nodes


def _clocks(order: Order) -> None:
    counters: dict[int, list[int]] = defaultdict(lambda: [0] * PIPE_COUNT)
    for index, node in enumerate(order.nodes):
        clock, epoch = [0] * PIPE_COUNT, 0
        for earlier in order.before[index]:
            epoch = max(epoch, order.epochs[earlier])
            if order.nodes[earlier].core == node.core:
                clock = [max(a, b) for a, b in zip(clock, order.clocks[earlier], strict=True)]
        number = 0
        if node.pipe >= 0:
            counters[node.core][node.pipe] += 1
            number = clock[node.pipe] = counters[node.core][node.pipe]
        order.clocks.append(clock)
        order.sequence.append(number)
        order.epochs.append(epoch + (node.kind == "leave"))


def shuffled(order: Order, seed: int) -> list[Instruction]:
    """Return a random allowed order."""
    dice = random.Random(seed)
    missing = [len(before) for before in order.before]
    after: list[list[int]] = [[] for _ in order.nodes]
    for index, before in enumerate(order.before):
        for one in before:
            after[one].append(index)
    ready = [index for index, count in enumerate(missing) if not count]
    nodes = []
    while ready:
        place = dice.randrange(len(ready))
        ready[place], ready[-1] = ready[-1], ready[place]
        index = ready.pop()
        nodes.append(order.nodes[index])
        for later in after[index]:
            missing[later] -= 1
            if not missing[later]:
                ready.append(later)
    return nodes
