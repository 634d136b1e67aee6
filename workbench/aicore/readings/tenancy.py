"""Which buffer holds what, and when: the recording's placements laid over its timeline.

A tenancy begins when a piece of a buffer is written and ends with the last access before it is
written anew. It refuses to say anything about tensors that a kernel never touched.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from workbench.aicore.operations.tensors import LocalTensor
from workbench.aicore.run import Run


@dataclass(frozen=True)
class Tenancy:
    """One stay of one tile in a buffer.

    Attributes
    ----------
    core : int
    buffer, name : str
        ``"UB"`` and the queue's or scratch tensor's name.
    slot : int
        Which buffer of the queue.
    offset, nbytes : int
    start_ns, stop_ns : float
    line : int
        Where it was written first.
    """

    core: int
    buffer: str
    name: str
    slot: int
    offset: int
    nbytes: int
    start_ns: float
    stop_ns: float
    line: int


def tenancies(run: Run) -> list[Tenancy]:
    """Return every stay of a tile in a buffer, in the order of their beginning."""
    touches = _touches(run)
    found = []
    for one in run.recording.placements:
        place = one.place
        begin = place.offset
        stays: list[list] = []
        reading = False
        for offset, start, stop, line, writes, reads in touches[one.core, place.buffer]:
            if not begin <= offset < begin + place.nbytes:
                continue
            if writes and not reads and (reading or not stays):
                stays.append([start, stop, line])
            elif stays:
                stays[-1][1] = max(stop, stays[-1][1])
            reading = reads
        found += [
            Tenancy(one.core, place.buffer, one.name, one.slot, begin, place.nbytes, *stay)
            for stay in stays
        ]
    return sorted(found, key=lambda one: one.start_ns)


def _touches(run: Run) -> dict[tuple[int, str], list[tuple]]:
    """Return (offset, start, stop, line, writes, reads) for each buffer, in the order of time."""
    touches: dict[tuple[int, str], dict[tuple, list]] = defaultdict(dict)
    for bar in run.timeline.bars:
        node = run.order.nodes[bar.index]
        if bar.cause:
            continue
        for tensors, what in ((node.writes, 0), (node.reads, 1)):
            for tensor in tensors:
                if isinstance(tensor, LocalTensor):
                    key = (bar.start_ns, bar.index, tensor.offset, bar.stop_ns, bar.line)
                    both = touches[tensor.core, tensor.memory].setdefault(key, [False, False])
                    both[what] = True
    return defaultdict(
        list,
        {
            space: [
                (offset, start, stop, line, *both)
                for (start, _, offset, stop, line), both in sorted(some.items())
            ]
            for space, some in touches.items()
        },
    )
