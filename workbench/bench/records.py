"""What is known of a race: its lanes with every sample, and under what conditions they were taken.

A `Run` is the same thing while it is measured, in the store and in someone else's recording, so
that everything which shows or compares runs knows one form.
"""

from __future__ import annotations

import math
import uuid
from array import array
from dataclasses import dataclass, field
from typing import Any

from workbench.measurement import Measurement, Provenance, now
from workbench.problem import Accuracy

CONTROL = "A/A control"
"""The label of the second, identical lane of the baseline."""


class LaneRecord:
    """One lane: append-only columns of samples, and what was found out about it.

    Attributes
    ----------
    rounds, samples_ns, fresh, preempted, blocks : array
        One entry for each call: its round, its latency, whether its contents were new (0 met
        before, 1 new, 2 met before but used just after new ones were made), how often its thread
        was taken off the core, and to which of the run's `conditions` it belongs.
    first_call_ns, prepare_ns : int or None
        The first call and the preparation before it, kept apart from the samples.
    audits, max_abs_error : int, float or None
        How many answers were judged, and the largest error among them.
    disagreed : int
        For how many calls a second clock saw much more time than the first.
    error : dict or None
        ``kind``, ``happened``, ``saw``, ``advice`` of what ended the lane.
    """

    FACTS = (
        "label",
        "control_of",
        "provenance",
        "model",
        "stated_error",
        "first_call_ns",
        "prepare_ns",
        "audits",
        "disagreed",
        "max_abs_error",
        "notes",
        "error",
    )
    COLUMNS = (
        ("rounds", "q"),
        ("samples_ns", "d"),
        ("fresh", "b"),
        ("preempted", "b"),
        ("blocks", "q"),
    )

    def __init__(self, label: str, control_of: str = ""):
        self.label, self.control_of = label, control_of
        self.rounds, self.samples_ns = array("q"), array("d")
        self.fresh, self.preempted, self.blocks = array("b"), array("b"), array("q")
        self.provenance, self.model, self.stated_error = Provenance.MEASURED, "", ""
        self.first_call_ns: int | None = None
        self.prepare_ns: int | None = None
        self.audits: int = 0
        self.max_abs_error: float | None = None
        self.disagreed = 0
        self.notes: list[str] = []
        self.error: dict[str, str] | None = None

    def ready(self, event: dict[str, Any]) -> None:
        """Take what the worker said when the lane was prepared."""
        self.provenance = Provenance(event["provenance"])
        self.model, self.stated_error = event["model"], event["stated_error"]
        if self.first_call_ns is None:
            self.prepare_ns, self.first_call_ns = event["prepare_ns"], event["first_call_ns"]
        self.notes = list(event["notes"])

    def add(self, number: int, ns: float, fresh: int, preempted: int, block: int) -> None:
        """Append one sample."""
        self.rounds.append(number)
        self.samples_ns.append(ns)
        self.fresh.append(fresh)
        self.preempted.append(min(preempted, 127))
        self.blocks.append(block)

    def judged(self, accuracy: Accuracy) -> None:
        """Count one judged answer."""
        self.audits += 1
        self.max_abs_error = max(self.max_abs_error or 0.0, accuracy.max_abs_error)

    def fail(self, kind: str, happened: str, saw: str = "", advice: str = "") -> None:
        """Note what ended the lane; the first error stays."""
        if self.error is None:
            self.error = {"kind": kind, "happened": happened, "saw": saw, "advice": advice}

    def facts(self) -> dict[str, Any]:
        """Return everything but the samples, JSON-able."""
        found = {name: getattr(self, name) for name in self.FACTS}
        finite = self.max_abs_error is not None and math.isfinite(self.max_abs_error)
        return found | {
            "provenance": str(self.provenance),
            "max_abs_error": self.max_abs_error if finite else None,
        }

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> LaneRecord:
        """Return a lane without samples from what `facts` gave."""
        lane = cls(facts["label"])
        for name in cls.FACTS:
            setattr(lane, name, facts[name])
        lane.provenance = Provenance(facts["provenance"])
        return lane


@dataclass
class Run:
    """One race over lanes of one problem at one size.

    Attributes
    ----------
    problem, size, size_means : str, int, str
    cache, threads, seconds : str, int, float
        How it was measured; `seconds` is the budget.
    batch : int
        How many independent instances one call computes.
    baseline : str
        Label of the lane that the others are compared with.
    lanes : dict of str to LaneRecord
    conditions : list of dict
        One for each span between two readings, see `workbench.bench.conditions`.
    machine : str
        Where; see `workbench.bench.fingerprint`.
    environment : dict
        Versions, processor, commit.
    recorded : bool
        Whether it came from a recording: then its measured numbers are shown as recorded.
    state, reason : str
        ``new``, ``preparing``, ``racing``, ``done``; and why it ended.
    """

    problem: str
    size: int
    size_means: str
    cache: str
    threads: int
    seconds: float
    baseline: str
    lanes: dict[str, LaneRecord]
    machine: str = ""
    environment: dict[str, Any] = field(default_factory=dict)
    started_at: str = field(default_factory=now)
    uuid: str = field(default_factory=lambda: uuid.uuid4().hex)
    conditions: list[dict[str, Any]] = field(default_factory=list)
    bytes_moved: int = 0
    operations: int = 0
    batch: int = 1
    recorded: bool = False
    state: str = "new"
    reason: str = ""

    FACTS = (
        *("uuid", "problem", "size", "size_means", "batch", "cache", "threads", "seconds"),
        *("baseline", "machine", "environment", "started_at", "bytes_moved", "operations"),
        *("recorded", "state", "reason"),
    )

    def facts(self) -> dict[str, Any]:
        """Return everything but lanes and conditions, JSON-able."""
        return {name: getattr(self, name) for name in self.FACTS}

    def where(self) -> str:
        """Return the machine in words, with the accelerators that its lanes ran on."""
        devices = sorted({str(name) for name in self.environment.get("devices", {}).values()})
        return f"{self.machine}, with {' and '.join(devices)}" if devices else self.machine

    def provenance_of(self, lane: LaneRecord) -> Provenance:
        """Return how the lane's numbers are to be shown: measured elsewhere is recorded."""
        if self.recorded and lane.provenance is Provenance.MEASURED:
            return Provenance.RECORDED
        return lane.provenance

    def measurements(self) -> list[Measurement]:
        """Return the lanes that have samples, without the control, as `Measurement` objects."""
        return [
            Measurement(
                problem=self.problem,
                target=lane.label,
                size=self.size,
                samples_ns=tuple(lane.samples_ns),
                provenance=self.provenance_of(lane),
                machine=self.machine,
                taken_at=self.started_at,
                model=lane.model,
                stated_error=lane.stated_error,
                first_call_ns=lane.first_call_ns,
                max_abs_error=lane.max_abs_error,
                notes=tuple(lane.notes),
            )
            for lane in self.lanes.values()
            if lane.samples_ns and not lane.control_of and not lane.error
        ]
