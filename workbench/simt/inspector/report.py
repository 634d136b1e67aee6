"""What `inspect` returns: plain fields, a text, and HTML."""

from __future__ import annotations

import html
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from workbench.errors import UnknownNameError
from workbench.hardware import Roofline
from workbench.simt.inspector import metrics
from workbench.simt.inspector.occupancy import Occupancy
from workbench.simt.inspector.record import ATOMIC, Requests
from workbench.simt.inspector.timing import ModelledTime
from workbench.simt.ptx import MachineCode


@dataclass(frozen=True)
class AccessMetrics:
    """One access in the source, over all requests of the launch.

    Attributes
    ----------
    line : int
    text, array, space, kind : str
        The access as written; its array; ``global``, ``shared``, ``local`` or ``constant``;
        ``load``, ``store`` or ``atomic``.
    itemsize_bytes : int
    requests : int
        Memory instructions, counted for each warp.
    active_lane_fraction : float
        Lanes that take part, over the lanes of the warps, 0 to 1.
    bytes_asked : int
        What the lanes wanted.
    bytes_moved : int
        Sectors times 32 bytes for global memory; `bytes_asked` elsewhere.
    sectors_per_request : float
        Global memory only; 0 elsewhere. 4 is ideal for 32 lanes of float32, 32 the worst.
    bank_conflict_ways, bank_conflict_ways_mean : float
        Shared memory only; 0 elsewhere. The worst and the mean; 1 is no conflict.
    contention : int
        Atomics only; 0 elsewhere. Most lanes of one request that meet at one element.
    """

    line: int
    text: str
    array: str
    space: str
    kind: str
    itemsize_bytes: int
    requests: int
    active_lane_fraction: float
    bytes_asked: int
    bytes_moved: int
    sectors_per_request: float
    bank_conflict_ways: int
    bank_conflict_ways_mean: float
    contention: int

    @property
    def efficiency(self) -> float:
        """Bytes asked for over bytes moved; above 1 where lanes share bytes."""
        return self.bytes_asked / self.bytes_moved if self.bytes_moved else 1.0


def measure(requests: Requests) -> AccessMetrics:
    """Return the metrics of one access."""
    addresses, active = requests.table()
    lanes = int(active.sum())
    sectors = ways = meeting = np.zeros(0, np.int64)
    if requests.space == "global":
        sectors = metrics.sectors(addresses, active, requests.itemsize)
    if requests.space == "shared":
        ways = metrics.bank_ways(addresses, active, requests.itemsize)
    if requests.kind == ATOMIC:
        meeting = metrics.contention(addresses, active)
    asked = lanes * requests.itemsize
    return AccessMetrics(
        requests.line, requests.text, requests.array, requests.space, requests.kind,
        requests.itemsize, len(addresses), lanes / max(1, sum(requests.lanes_present)), asked,
        int(sectors.sum()) * metrics.SECTOR_BYTES if sectors.size else asked,
        float(sectors.mean()) if sectors.size else 0.0,
        int(ways.max(initial=0)), float(ways.mean()) if ways.size else 0.0,
        int(meeting.max(initial=0)),
    )  # fmt: skip


@dataclass(frozen=True)
class InspectionReport:
    """What one launch asks of the memory system.

    Attributes
    ----------
    kernel, path : str
    grid, block : tuple of int
    accesses : tuple of AccessMetrics
        In the order of the source.
    operations : dict of int to int
        Floating-point operations by line.
    bytes_compulsory : int
        The least that main memory must move: 32 times the different sectors that are read, plus
        those that are written. An atomic does both.
    shared_bytes : int
        Shared memory of a block.
    occupancy : Occupancy
    roofline : Roofline or None
        Of the GPU, from its data sheet; None where the sheet has no float32 peak.
    time : ModelledTime or None
        Likewise.
    notes : tuple of str
        What a reader must know beside the numbers.
    machine_code : MachineCode or None
        PTX, SASS and registers, where they were asked for.
    """

    kernel: str
    path: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    accesses: tuple[AccessMetrics, ...]
    operations: dict[int, int]
    bytes_compulsory: int
    shared_bytes: int
    occupancy: Occupancy
    roofline: Roofline | None
    time: ModelledTime | None
    notes: tuple[str, ...] = ()
    machine_code: MachineCode | None = None

    @property
    def operation_count(self) -> int:
        """Floating-point operations of the launch, a multiply and an add counting as two."""
        return sum(self.operations.values())

    @property
    def bytes_moved(self) -> int:
        """Bytes of all sectors of all global requests."""
        return sum(one.bytes_moved for one in self.accesses if one.space == "global")

    @property
    def intensity(self) -> float:
        """Operations for each byte that main memory must move; 0 where nothing is moved."""
        return self.operation_count / self.bytes_compulsory if self.bytes_compulsory else 0.0

    @property
    def roofline_point(self) -> tuple[float, float, float] | None:
        """Intensity, and the least and most GFLOP/s that the roof allows there."""
        if self.roofline is None or not self.intensity:
            return None
        return (self.intensity, *self.roofline.attainable_gflop_per_s(self.intensity))

    def line(self, number: int) -> tuple[AccessMetrics, ...]:
        """Return the accesses on one line of the source."""
        return tuple(one for one in self.accesses if one.line == number)

    def find(self, text: str, kind: str = "") -> AccessMetrics:
        """Return the access written as `text`, for instance ``"tile[x, y]"``.

        Raises
        ------
        UnknownNameError
            Where there is none.
        """
        for one in self.accesses:
            if one.text == text and kind in ("", one.kind):
                return one
        raise UnknownNameError("access", text, {one.text for one in self.accesses})

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(one.line),
                f"{one.kind} {one.text}",
                one.space,
                f"{one.requests:,}",
                f"{100 * one.active_lane_fraction:.0f} %",
                f"{one.sectors_per_request:.1f}" if one.space == "global" else "",
                f"{one.bytes_asked:,}",
                f"{one.bytes_moved:,}" if one.space == "global" else "",
                f"{one.bank_conflict_ways}-way" if one.space == "shared" else "",
                str(one.contention) if one.kind == ATOMIC else "",
            )
            for one in self.accesses
        ]

    _HEAD = (
        "line", "access", "memory", "requests", "lanes", "sectors/request", "bytes asked",
        "bytes moved", "banks", "lanes at one element",
    )  # fmt: skip

    _WORDS = ("access", "memory")

    def _summary(self) -> list[str]:
        lines = [
            f"arithmetic intensity: {self.intensity:.3g} operations a byte "
            f"({self.operation_count:,} operations, {self.bytes_compulsory:,} bytes at least)",
            f"occupancy: {self.occupancy}",
        ]
        point = self.roofline_point
        if point is not None:
            low, high = (f"{one:,.0f}" for one in point[1:])
            span = low if low == high else f"{low} to {high}"
            lines.append(f"roof at this intensity: {span} GFLOP/s (data sheet)")
        if self.time is not None:
            lines.append(f"time: {self.time}")
        return [*lines, *self.notes]

    def __str__(self) -> str:
        rows = [self._HEAD, *self._rows()]
        widths = [max(len(row[k]) for row in rows) for k in range(len(self._HEAD))]
        table = [
            "  ".join(
                cell.ljust(width) if name in self._WORDS else cell.rjust(width)
                for name, cell, width in zip(self._HEAD, row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        place = f"{self.kernel}[{self.grid}, {self.block}] in {os.path.basename(self.path)}"
        return "\n".join([place, *table, *self._summary()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def cells(row: tuple[str, ...], tag: str) -> str:
            return "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row)

        body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in self._rows())
        head = f"<tr>{cells(self._HEAD, 'th')}</tr>"
        notes = "".join(f"<li>{html.escape(line)}</li>" for line in self._summary())
        title = html.escape(f"{self.kernel}[{self.grid}, {self.block}]")
        return f"<p><b>{title}</b></p><table>{head}{body}</table><ul>{notes}</ul>"

    def as_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON."""
        found = {
            "kernel": self.kernel,
            "grid": list(self.grid),
            "block": list(self.block),
            "accesses": [asdict(one) for one in self.accesses],
            "operations": {str(line): count for line, count in self.operations.items()},
            "bytes_compulsory": self.bytes_compulsory,
            "bytes_moved": self.bytes_moved,
            "intensity_op_per_byte": self.intensity,
            "shared_bytes": self.shared_bytes,
            "occupancy": asdict(self.occupancy),
            "notes": list(self.notes),
        }
        if self.time is not None:
            found["time"] = asdict(self.time)
        return found
