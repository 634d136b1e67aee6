"""Second reading: the hazards, bytes that two instructions touch with nothing to order them.

Every byte remembers its last writer and the last reader on each pipe; an instruction that meets
one of them unordered is a finding. Then an *adversarial replay* carries the recording out in an
order in which the later of the two comes first, which the flags allow, so that a missing wait
shows as a wrong result and not only as a sentence. It finds what this run does, not what another
input could do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from workbench.aicore.findings import AICoreError, Finding, Report
from workbench.aicore.machine import BUFFER_OF, PIPES
from workbench.aicore.operations.arithmetic import LOOKS_AT_VALUES
from workbench.aicore.operations.regions import Region
from workbench.aicore.operations.tensors import GlobalTensor
from workbench.aicore.readings.order import Order
from workbench.aicore.readings.values import carry_out, same, written
from workbench.aicore.recording.instructions import Instruction, Recording

_GRAIN = {"UB": 2, "L1": 32, "L0A": 32, "L0B": 32, "L0C": 32}
_PAIRS_TRIED = 3
_REPLAY_LIMIT = 40
# settings that an event of each kind can hold
_HELD = {"event": 1, "cross": 16}


class _Shadow:
    """Last writer and last readers of each grain of one memory (0: nobody)."""

    def __init__(self, nbytes: int, grain: int, starts_written: bool):
        self.grain, self.count = grain, -(-nbytes // grain)
        self.writer = np.zeros(self.count, np.int32)
        self.readers: dict[tuple[int, int], np.ndarray] = {}
        self.starts_written = starts_written

    def view(self, flat: np.ndarray, region: Region) -> np.ndarray:
        grain = self.grain
        first = region.offset // grain
        width = -(-(region.offset % grain + region.width) // grain)
        strides = (*(step // grain * 4 for step in region.strides), 4)
        return np.ndarray((*region.counts, width), np.int32, flat, first * 4, strides)


def find_hazards(
    recording: Recording, order: Order, arrays: Sequence[np.ndarray | None], replay: bool = True
) -> Report:
    """Return everything that is unordered, uninitialised or left over in a recording.

    Parameters
    ----------
    arrays : sequence
        Contents of the global arrays at the start, None for a workspace.
    replay : bool
        Whether to look for an allowed order that changes the result.
    """
    pairs: dict[tuple, list[tuple[int, int]]] = {}
    found: dict[tuple, Finding] = {}
    for key, finding, pair in _conflicts(recording, order):
        found.setdefault(key, finding)
        if pair is not None:
            pairs.setdefault(key, []).append(pair)
    tried, refused, normal = 0, [], None
    if (replay and pairs) or any(node.apply in LOOKS_AT_VALUES for node in order.nodes):
        try:
            normal = carry_out(recording, arrays, order.nodes)
        except AICoreError as error:
            refused = [error.finding]
    if replay and pairs and normal is not None:
        outputs = written(order.nodes)
        for key, some in pairs.items():
            if tried < _REPLAY_LIMIT:
                changed, count = _changes(recording, order, arrays, normal, outputs, some)
                tried += count
                found[key] = replace(found[key], changes_result=changed)
    reused = list(_reused_events(order))
    everything = [*recording.findings, *order.findings, *found.values(), *refused, *reused]
    return Report(tuple(everything), len(order.nodes), tried)


def adversarial(order: Order, first: int, second: int) -> Iterator[Instruction]:
    """Yield an allowed order in which `second` and what it needs come before `first`."""
    early = order.ancestors(second) | {second}
    yield from (order.nodes[i] for i in sorted(early))
    yield from (node for i, node in enumerate(order.nodes) if i not in early)


def _changes(recording, order, arrays, normal, outputs, pairs) -> tuple[bool, int]:
    count = 0
    spread = [pairs[0], pairs[-1], pairs[len(pairs) // 2]][: min(len(pairs), _PAIRS_TRIED)]
    for first, second in spread:
        count += 1
        other = carry_out(recording, arrays, adversarial(order, first, second), trial=True)
        if not all(same(normal.array(recording, i), other.array(recording, i)) for i in outputs):
            return True, count
    return False, count


def _conflicts(recording: Recording, order: Order):
    """Yield (key, finding, pair or None) for each access that meets another unordered."""
    changed = written(order.nodes)
    changed |= {i for i, info in enumerate(recording.arrays) if info.workspace}
    shadows: dict[tuple, _Shadow] = {}
    for node in order.nodes:
        if node.kind != "op":
            continue
        for tensors, writing in ((node.reads, False), (node.writes, True)):
            for tensor in tensors:
                if isinstance(tensor, GlobalTensor) and tensor.array not in changed:
                    continue
                region = tensor.region()
                shadow = shadows.get(region.space)
                if shadow is None:
                    shadow = shadows[region.space] = _new_shadow(recording, region)
                yield from _access(recording, order, shadow, node, tensor, region, writing)


def _new_shadow(recording: Recording, region: Region) -> _Shadow:
    if region.space[0] == "GM":
        info = recording.arrays[region.space[1]]
        size = int(np.prod(info.shape)) * info.dtype.itemsize
        return _Shadow(size, info.dtype.itemsize, not info.workspace)
    buffer = region.space[1]
    return _Shadow(recording.chip.capacity(buffer), _GRAIN[BUFFER_OF[buffer]], False)


def _access(recording, order, shadow, node, tensor, region, writing):
    writers = shadow.view(shadow.writer, region)
    me = node.index + 1
    for earlier in _distinct(writers):
        if earlier == 0:
            if not writing and not shadow.starts_written:
                yield _uninitialised(recording, shadow, writers, node, region)
        elif not (writing and node.atomic and order.nodes[earlier - 1].atomic):
            yield from _meet(recording, order, earlier - 1, node, region, writers, earlier, shadow)
    pipe = (node.core, node.pipe)
    if writing:
        for who, flat in shadow.readers.items():
            if who != pipe:
                view = shadow.view(flat, region)
                for earlier in _distinct(view):
                    if earlier and not (node.atomic and order.nodes[earlier - 1].atomic):
                        yield from _meet(
                            recording, order, earlier - 1, node, region, view, earlier, shadow
                        )
        writers[...] = me
        return
    if pipe not in shadow.readers:
        shadow.readers[pipe] = np.zeros(shadow.count, np.int32)
    shadow.view(shadow.readers[pipe], region)[...] = me


def _distinct(view: np.ndarray) -> list[int]:
    first = int(view.flat[0])
    if (view == first).all():
        return [first]
    return [int(one) for one in np.unique(view)]


def _meet(recording, order, earlier, node, region, view, mark, shadow):
    if order.ordered(earlier, node.index):
        return
    other = order.nodes[earlier]
    start, stop = _bytes(view, mark, region, shadow)
    across = other.core != node.core
    kind = "core_overlap" if across else "missing_wait"
    where = _name(recording, region)
    message = f"{other.name} and {node.name} touch the same bytes and nothing orders them."
    advice = _advice(other, node)
    key = (kind, other.file, other.line, node.file, node.line, region.space[1])
    yield key, Finding(
        kind, message, (other.site, node.site), where, start, stop, advice=advice
    ), (earlier, node.index)  # fmt: skip


def _uninitialised(recording, shadow, writers, node, region):
    start, stop = _bytes(writers, 0, region, shadow)
    return (
        ("uninitialised", node.file, node.line, region.space[1]),
        Finding(
            "uninitialised",
            f"{node.name} reads bytes that nothing wrote.",
            (node.site,),
            _name(recording, region),
            start,
            stop,
            advice="fill the whole tensor first, or read only the part that was filled",
        ),
        None,
    )


def _bytes(view: np.ndarray, mark: int, region: Region, shadow: _Shadow) -> tuple[int, int]:
    """Return the first run's bytes where the shadow holds `mark`."""
    where = np.argwhere(view == mark)
    steps = np.array([*region.strides, shadow.grain])
    first, last = where[0] @ steps, where[-1] @ steps
    return int(region.offset + first), int(region.offset + last + shadow.grain)


def _name(recording: Recording, region: Region) -> str:
    if region.space[0] == "GM":
        return f"global array {recording.arrays[region.space[1]].name!r}"
    return f"{region.space[1]} of core {region.space[0]}"


def _advice(first: Instruction, second: Instruction) -> str:
    if first.core != second.core:
        return "give each core its own part, use set_atomic_add, or put sync_all between"
    a, b = PIPES[first.pipe], PIPES[second.pipe]
    (unit, _, source), (other, _, target) = a.partition("."), b.partition(".")
    if unit == other:
        event = f"{source}_{target}"
        return f'set_flag("{event}") after the first and wait_flag("{event}") before the second'
    return f'cross_core_set_flag(..., "{a}") and cross_core_wait_flag(..., "{b}")'


def _reused_events(order: Order) -> Iterator[Finding]:
    """Yield events that are set again before their settings are surely waited for.

    An event between pipes holds one setting; the counter of a flag between units holds 16 (the
    vendor's page for CrossCoreSetFlag).
    """
    waits: dict[tuple, list[int]] = {}
    marks: dict[tuple, list[int]] = {}
    for index, node in enumerate(order.nodes):
        if node.key is not None and node.key[0] in _HELD:
            table = marks if node.kind == "set" else waits
            table.setdefault((node.core, *node.key), []).append(index)
    told = set()
    for key, sets in marks.items():
        held = _HELD[key[1]]
        for mark, again, wait in zip(sets, sets[held:], waits.get(key, []), strict=False):
            node = order.nodes[again]
            if not order.ordered(wait, again) and (node.file, node.line) not in told:
                told.add((node.file, node.line))
                many = "" if held == 1 else f" {held} times more"
                yield Finding(
                    "event_reused",
                    f"Event {node.name} is set again{many} before its first setting is waited for.",
                    (order.nodes[mark].site, node.site),
                    advice="another number for the second buffer, or wait for the reverse event",
                )
