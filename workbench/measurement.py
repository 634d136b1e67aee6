"""What was observed: numbers with units and with how they were obtained.

The one rule that is never bent: every number carries its `Provenance`, and numbers of different
provenance are never ranked in one column. `comparable` is where that is enforced. The rule holds
for a learner's own numbers as for ours.

It refuses to time anything (`workbench.bench` does) and to guess a provenance.
"""

from __future__ import annotations

import datetime as _datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Any

from workbench.errors import IncomparableMeasurementsError, InputError


class Provenance(StrEnum):
    """How a number was obtained."""

    MEASURED = "measured"
    """On this machine, now."""
    RECORDED = "recorded"
    """Measured elsewhere or before: carries the machine and the date."""
    MODELLED = "modelled"
    """Predicted: carries the model's name and its stated error."""
    DATASHEET = "datasheet"
    """From a data sheet: carries the source."""


@dataclass(frozen=True)
class Availability:
    """Whether a place can be used; where not, why and what to do about it.

    Attributes
    ----------
    usable : bool
    reason : str
        Why not (required where not usable), or what was found.
    remedy : str
        What to do (required where not usable).
    """

    usable: bool
    reason: str = ""
    remedy: str = ""

    def __post_init__(self):
        if not self.usable and not (self.reason and self.remedy):
            raise InputError(
                "A place that cannot be used must say why and what to do.",
                f"reason={self.reason!r}, remedy={self.remedy!r}",
                "give both a reason and a remedy",
            )

    def __bool__(self) -> bool:
        return self.usable


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Latencies of one problem at one size on one target, with every raw sample.

    Attributes
    ----------
    problem, target : str
        Names, as in the catalogue.
    size : int
        The problem's size.
    samples_ns : tuple of float
        Latency of each call in nanoseconds, in the order taken, none dropped.
    provenance : Provenance
    machine : str
        Where; required for `recorded`.
    taken_at : str
        When, ISO 8601 with offset; required for `recorded`.
    model, stated_error : str
        Required for `modelled`: which model, and how wrong it is known to be.
    source : str
        Required for `datasheet`.
    first_call_ns : float or None
        The first call, with compiling and loading in it.
    max_abs_error : float or None
        Against the oracle, where it was checked.
    notes : tuple of str
        Plain sentences that a reader must see beside the number.
    details : dict
        Anything else, JSON-able: clocks, load, throttling.
    """

    problem: str
    target: str
    size: int
    samples_ns: tuple[float, ...]
    provenance: Provenance
    machine: str = ""
    taken_at: str = ""
    model: str = ""
    stated_error: str = ""
    source: str = ""
    first_call_ns: float | None = None
    max_abs_error: float | None = None
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        needed = {
            Provenance.MEASURED: (),
            Provenance.RECORDED: ("machine", "taken_at"),
            Provenance.MODELLED: ("model", "stated_error"),
            Provenance.DATASHEET: ("source",),
        }[Provenance(self.provenance)]
        missing = [name for name in needed if not getattr(self, name)]
        if missing:
            raise InputError(
                f"A {self.provenance} measurement must say where it comes from.",
                f"{self.problem} on {self.target} has no {' and no '.join(missing)}",
                f"fill in {', '.join(missing)}",
            )

    @property
    def median_ns(self) -> float:
        """Median latency in nanoseconds."""
        return self.quantile_ns(0.5)

    def quantile_ns(self, q: float) -> float:
        """Return the latency in nanoseconds below which a share `q` (0 to 1) of the samples lie.

        Linear interpolation between order statistics (NumPy's default, Hyndman and Fan's type 7).
        """
        if not self.samples_ns:
            raise InputError(
                "There is nothing to summarise.",
                f"{self.problem} on {self.target} has no samples",
                "measure at least one call",
            )
        if q == 0.5:
            return float(median(self.samples_ns))
        ordered = sorted(self.samples_ns)
        position = q * (len(ordered) - 1)
        low = int(position)
        high = min(low + 1, len(ordered) - 1)
        return float(ordered[low] + (position - low) * (ordered[high] - ordered[low]))


def comparable(measurements: Iterable[Measurement]) -> list[Measurement]:
    """Return the measurements as a list if they may be ranked against each other.

    Raises
    ------
    IncomparableMeasurementsError
        Where provenance, problem, size or (for recordings) machine differ.
    """
    rows = list(measurements)
    for what in ("provenance", "problem", "size", "machine"):
        seen = {str(getattr(row, what)) for row in rows}
        if len(seen) > 1:
            raise IncomparableMeasurementsError(
                f"These measurements differ in {what} and cannot be ranked together.",
                ", ".join(sorted(f"{r.target}: {getattr(r, what)}" for r in rows)),
                "put them in tables of their own",
            )
    return rows


def now() -> str:
    """Return the present time as ISO 8601 with the local offset, to the second."""
    return _datetime.datetime.now().astimezone().isoformat(timespec="seconds")
