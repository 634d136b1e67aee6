"""What is known of one lane of a race: every sample, its checks and its errors."""

from __future__ import annotations

from array import array
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
        One entry for each call: its round, its latency, whether its contents were new, whether
        its thread was taken off the core, and which block of conditions it belongs to.
    first_call_ns, prepare_ns : int or None
        The first call and the preparation before it, kept apart from the samples.
    audits, max_abs_error : int, float or None
        How many answers were judged, and the largest error among them.
    error : dict or None
        ``kind``, ``happened``, ``saw``, ``advice`` of what ended the lane.
    """

    def __init__(self, label: str, control_of: str = ""):
        self.label, self.control_of = label, control_of
        self.rounds, self.samples_ns = array("q"), array("d")
        self.fresh, self.preempted, self.blocks = array("b"), array("b"), array("l")
        self.provenance, self.model, self.stated_error = Provenance.MEASURED, "", ""
        self.first_call_ns: int | None = None
        self.prepare_ns: int | None = None
        self.audits, self.max_abs_error = 0, None
        self.notes: list[str] = []
        self.error: dict[str, str] | None = None

    def ready(self, event: dict[str, Any]) -> None:
        """Take what the worker said when the lane was prepared."""
        self.provenance = Provenance(event["provenance"])
        self.model, self.stated_error = event["model"], event["stated_error"]
        if self.first_call_ns is None:
            self.prepare_ns, self.first_call_ns = event["prepare_ns"], event["first_call_ns"]
        self.notes = list(event["notes"])

    def add(self, number: int, ns: float, fresh: bool, preempted: bool, block: int) -> None:
        """Append one sample."""
        self.rounds.append(number)
        self.samples_ns.append(ns)
        self.fresh.append(fresh)
        self.preempted.append(preempted)
        self.blocks.append(block)

    def judged(self, accuracy: Accuracy) -> None:
        """Count one judged answer."""
        self.audits += 1
        self.max_abs_error = max(self.max_abs_error or 0.0, accuracy.max_abs_error)

    def fail(self, kind: str, happened: str, saw: str = "", advice: str = "") -> None:
        """Note what ended the lane; the first error stays."""
        if self.error is None:
            self.error = {"kind": kind, "happened": happened, "saw": saw, "advice": advice}

    def measurement(self, problem: str, size: int, machine: str = "") -> Measurement:
        """Return the lane as a `Measurement` with every sample."""
        return Measurement(
            problem=problem,
            target=self.label,
            size=size,
            samples_ns=tuple(self.samples_ns),
            provenance=self.provenance,
            machine=machine,
            taken_at=now(),
            model=self.model,
            stated_error=self.stated_error,
            first_call_ns=self.first_call_ns,
            max_abs_error=self.max_abs_error,
            notes=tuple(self.notes),
        )
