"""Holds three records of where nodes run against each other, and explains what they do not share.

The assignment record says who got each node when the graph was divided; the graph that the runtime
writes afterwards shows what its optimisation made of it and which copies it put in; the profile
says what ran, and where. None is complete: the record misses nodes for some providers, the graph
names no providers and is not written where nodes are compiled, the profile needs a run. What
optimisation did is explained, node by node; what is left over is a disagreement, and is shown. It
refuses to believe one source over another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.portability.names import all_nodes
from workbench.portability.placement import Change, NodePlacement
from workbench.portability.workers._profile import BROKEN

if TYPE_CHECKING:
    import onnx

COPIES = {"MemcpyFromHost": "to device", "MemcpyToHost": "from device"}
KERNEL = "_kernel_time"  # how the profile's events of a node that ran end

ProfileRow = tuple[str, str, str, int]


@dataclass(frozen=True)
class Reconciled:
    """What the three sources say together.

    Attributes
    ----------
    sources : tuple of str
        What each of them holds, or why it was not to be had.
    changes : tuple of Change
        What optimisation did to the nodes: explained, and no disagreement.
    disagreements : tuple of str
    """

    sources: tuple[str, ...]
    changes: tuple[Change, ...]
    disagreements: tuple[str, ...]


@dataclass(frozen=True)
class _Graph:
    """A graph's nodes by name, and who makes and who takes each value."""

    nodes: dict[str, Any]
    makers: dict[str, str]
    takers: dict[str, list[str]]
    constants: frozenset[str]


def reconcile(
    model: onnx.ModelProto,
    nodes: Iterable[NodePlacement],
    graph: onnx.ModelProto | None,
    profile: Sequence[ProfileRow] | None,
    provider: str,
    *,
    failed: bool = False,
) -> Reconciled:
    """Hold the assignment record, the optimised graph and the profile against each other.

    Parameters
    ----------
    model : onnx.ModelProto
        As it was given to the runtime, each node with a name of its own.
    nodes : iterable of NodePlacement
        From the assignment record.
    graph : onnx.ModelProto or None
        As the runtime wrote it; None where it cannot.
    profile : sequence or None
        ``(provider, operator, event, count)`` of the nodes that ran; events end in
        ``_kernel_time``. None where nothing was run.
    provider : str
        The one that was asked for.
    failed : bool
        Whether a run ended early: then the profile is not asked what it lacks.
    """
    assigned = {node.name: node for node in nodes}
    before, after = _indexed(model), _indexed(graph) if graph is not None else None
    ran, unreadable = _ran(profile)
    changes = _changes(before, after, assigned)
    found: list[str] = []
    if unreadable:
        found.append(
            f"the profile was not held against the record: {unreadable} of its lines cannot be "
            "read, as the runtime does not escape names"
        )
    else:
        found += _assigned_and_ran(assigned, ran, provider, failed)
        if after is not None and ran:
            found += _written_and_ran(after, assigned, ran, changes, failed)
    if after is not None:
        found += _written_and_assigned(after, assigned, changes, provider)
    sources = _sources(assigned, after, ran, profile, failed)
    return Reconciled(sources, tuple(changes), tuple(found))


def _indexed(model: onnx.ModelProto) -> _Graph:
    nodes, makers, takers = {}, {}, {}
    for node in all_nodes(model.graph):
        nodes[node.name] = node
        makers.update(dict.fromkeys(filter(None, node.output), node.name))
        for value in filter(None, node.input):
            takers.setdefault(value, []).append(node.name)
    constants = frozenset(tensor.name for tensor in model.graph.initializer)
    return _Graph(nodes, makers, takers, constants)


def _ran(profile: Sequence[ProfileRow] | None) -> tuple[dict[str, str], int]:
    """Return node to provider of what ran, and how many lines of the profile are broken."""
    rows = profile or ()
    broken = sum(count for where, _, event, count in rows if not where and event == BROKEN)
    return {event.removesuffix(KERNEL): where for where, _, event, _ in rows if where}, broken


def _changes(
    before: _Graph, after: _Graph | None, assigned: Mapping[str, NodePlacement]
) -> list[Change]:
    """Say what became of each node that is not in all the sources."""
    rows = []
    for name, node in before.nodes.items():
        if after is None:
            if name not in assigned:
                rows.append(Change(name, node.op_type, "gone before assignment"))
        elif name not in after.nodes:
            what, into = _fate(node, before, after)
            rows.append(Change(name, node.op_type, what, into))
    for name, node in assigned.items():  # made by the first optimisations, gone by the last
        if name not in before.nodes and (after is None or name not in after.nodes):
            rows.append(Change(name, node.operator, "made before assignment"))
    if after is not None:
        rows += [
            Change(name, node.op_type, "made by optimisation")
            for name, node in after.nodes.items()
            if name not in before.nodes and node.op_type not in COPIES
        ]
    return rows


def _fate(node: Any, before: _Graph, after: _Graph) -> tuple[str, str]:
    """Return what became of a node that the optimised graph has no more, and into which it went.

    Its results lead there: they, or what was computed of them next, are made by another node now.
    """
    if node.output and all(v in after.constants for v in node.output if v):
        return "folded into a constant", ""
    queue, seen = list(node.output), set()
    while queue:
        value = queue.pop(0)
        if value in seen or not value:
            continue
        seen.add(value)
        if value in after.makers:
            return "fused", _maker(value, after)
        for taker in before.takers.get(value, ()):
            if taker in after.nodes:  # it stayed, and does without this input's node
                return "removed", ""
            queue += before.nodes[taker].output
    return "removed", ""


def _maker(value: str, graph: _Graph) -> str:
    """Return who makes a value, on the other side of what only moves or reorders it."""
    node = graph.nodes[graph.makers[value]]
    while node.op_type in (*COPIES, "ReorderOutput") and node.input[0] in graph.makers:
        node = graph.nodes[graph.makers[node.input[0]]]
    return node.name


def _assigned_and_ran(
    assigned: Mapping[str, NodePlacement], ran: Mapping[str, str], provider: str, failed: bool
) -> list[str]:
    found = [
        f"{name}: assigned to {node.provider}, ran on {ran[name]}"
        for name, node in assigned.items()
        if name in ran and ran[name] != node.provider
    ]
    given = sum(node.provider == provider for node in assigned.values())
    executed = sum(where == provider for where in ran.values())
    if ran and given and not executed and not failed:
        found.append(f"{given} nodes are assigned to {provider}, and it ran none")
    if executed and not given:
        found.append(f"no node is recorded as assigned to {provider}, and it ran {executed}")
    return found


def _written_and_ran(
    after: _Graph,
    assigned: Mapping[str, NodePlacement],
    ran: Mapping[str, str],
    changes: Sequence[Change],
    failed: bool,
) -> list[str]:
    """Hold the graph against the profile: copies, what nobody wrote, where fused nodes ran."""
    found = [
        f"{name}: ran on {where}, and the optimised graph does not have it"
        for name, where in ran.items()
        if name not in after.nodes and name not in assigned
    ]
    idle = [n for n, node in after.nodes.items() if node.op_type in COPIES and n not in ran]
    if idle and not failed:
        found.append(f"{len(idle)} copies are in the optimised graph and did not run")
    for change in changes:
        owner = assigned.get(change.node)
        where = ran.get(change.into)
        if owner and where and owner.provider != where:
            found.append(
                f"{change.node}: assigned to {owner.provider}, fused into {change.into}, which ran "
                f"on {where}"
            )
    return found


def _written_and_assigned(
    after: _Graph,
    assigned: Mapping[str, NodePlacement],
    changes: Sequence[Change],
    provider: str,
) -> list[str]:
    """Hold the graph against the record: who makes what is copied, and who is in one only."""
    made = {change.node for change in changes if change.what == "made by optimisation"}
    lost = [
        name
        for name, node in after.nodes.items()
        if node.op_type not in COPIES and name not in assigned and name not in made
    ]
    found = []
    if lost:
        some = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        found.append(f"{len(lost)} nodes are in the optimised graph and assigned to nobody: {some}")
    for node in after.nodes.values():
        if node.op_type not in COPIES:
            continue
        to_host = node.op_type == "MemcpyToHost"
        ends = [after.makers.get(node.input[0], "")] if to_host else after.takers[node.output[0]]
        found += [
            f"{end}: assigned to {assigned[end].provider}, and the copy {node.name} treats it as "
            f"{provider}'s"
            for end in ends
            if end in assigned and assigned[end].provider != provider
        ]
    return found


def _sources(
    assigned: Mapping[str, Any],
    after: _Graph | None,
    ran: Mapping[str, str],
    profile: Sequence[ProfileRow] | None,
    failed: bool,
) -> tuple[str, ...]:
    graph = "not written: the runtime refuses where the provider compiles its nodes"
    if after is not None:
        copies = sum(node.op_type in COPIES for node in after.nodes.values())
        graph = f"{len(after.nodes) - copies} nodes and {copies} copies"
    ran_words = "nothing was run"
    if profile is not None:
        ran_words = f"{len(ran)} nodes and groups ran" + (", then a run failed" if failed else "")
    return (
        f"assignment record: {len(assigned)} nodes",
        f"optimised graph: {graph}",
        f"profile: {ran_words}",
    )
