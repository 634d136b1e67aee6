"""The observer that gathers the accesses of each warp into requests."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.simt.errors import OutOfBoundsError
from workbench.simt.inspector.metrics import LANES, SECTOR_BYTES
from workbench.simt.trace.observer import Observer

READ, WRITE, ATOMIC = "load", "store", "atomic"


@dataclass
class Requests:
    """All requests at one place of the source, as rows of lanes.

    Attributes
    ----------
    line : int
    text, array, space, kind : str
        The access as written, its array, ``global``/``shared``/..., and load, store or atomic.
    itemsize : int
    width : int
        Elements of a row of the array.
    addresses : list of (32,) int64
        Bytes from the start of the array; -1 where the lane takes no part.
    lanes_present : list of int
        Lanes that the warp has at all (the last warp of a block may have fewer than 32).
    warps : list of tuple
        Block and warp of each request.
    """

    line: int
    text: str
    array: str
    space: str
    kind: str
    itemsize: int
    width: int = 1
    addresses: list[np.ndarray] = field(default_factory=list)
    lanes_present: list[int] = field(default_factory=list)
    warps: list[tuple[int, int]] = field(default_factory=list)

    def table(self) -> tuple[np.ndarray, np.ndarray]:
        """Return addresses and mask, each (requests, 32)."""
        if not self.addresses:
            empty = np.zeros((0, LANES), np.int64)
            return empty, empty.astype(bool)
        rows = np.stack(self.addresses)
        return rows, rows >= 0


class Recorder(Observer):
    """Gathers requests, operations and the different sectors that were touched.

    Lanes belong to one request where they stand at the same place of the source in the same
    iteration of every loop around it and the same call: as a warp that comes together again after
    each branch executes it.
    """

    def __init__(self):
        self.requests: dict[tuple, Requests] = {}
        self.operations: dict[int, int] = defaultdict(int)
        self.sectors: set[tuple[int, int, str]] = set()
        self._open: dict[tuple, dict[int, int]] = {}

    def load(self, thread, array, position, address, value, site):
        """Take note of a read."""
        self._note(READ, thread, array, address, site)

    def store(self, thread, array, position, address, old, new, site):
        """Take note of a write."""
        self._note(WRITE, thread, array, address, site)

    def atomic(self, thread, array, position, address, old, new, site):
        """Take note of an atomic."""
        self._note(ATOMIC, thread, array, address, site)

    def operation(self, thread, line, value):
        """Count floating-point operations."""
        if isinstance(value, (float, np.floating)):
            self.operations[line] += 1

    def out_of_bounds(self, thread, array, index, site, does):
        """Refuse to measure a kernel that leaves its arrays."""
        raise OutOfBoundsError(
            f"A kernel that leaves its arrays cannot be inspected: {thread.describe()} {does} "
            f"{array.memory.name}[{index}].",
            f"{site.file_name}:{site.line}: shape {array.shape}",
            "sanitize the launch first",
        )

    def _note(self, kind: str, thread: Any, array: Any, address: int, site: Any) -> None:
        memory = array.memory
        place = (site.number, kind, memory.name, array.data.itemsize)
        key = (place, thread.block, thread.warp, tuple(thread.loops))
        lanes = self._open.get(key)
        if lanes is None:
            if place not in self.requests:
                self.requests[place] = Requests(
                    site.line,
                    site.text,
                    memory.name,
                    memory.space,
                    kind,
                    array.data.itemsize,
                    array.shape[-1],
                )
            lanes = self._open[key] = {}
        lanes[thread.laneid] = address - memory.start
        if memory.space == "global":
            first, last = address, address + array.data.itemsize - 1
            base = memory.start
            for sector in range((first - base) // SECTOR_BYTES, (last - base) // SECTOR_BYTES + 1):
                for way in (READ, WRITE) if kind == ATOMIC else (kind,):
                    self.sectors.add((base, sector, way))

    def block_ends(self, block):
        """Turn what was open into rows."""
        present = [0] * (len(block.threads) // LANES + 1)
        for thread in block.threads:
            present[thread.warp] += 1
        mine = [key for key in self._open if key[1] == block.linear]
        for key in mine:
            lanes = self._open.pop(key)
            row = np.full(LANES, -1, np.int64)
            row[list(lanes)] = list(lanes.values())
            requests = self.requests[key[0]]
            requests.addresses.append(row)
            requests.lanes_present.append(present[key[2]])
            requests.warps.append((key[1], key[2]))
