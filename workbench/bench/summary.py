"""A race as plain JSON: what a widget, the command line and a static picture show.

Each lane's samples become quantiles, a small sample of dots and its comparison with the baseline;
the raw samples stay on the records. Lanes of different provenance go into separate groups, which
are never ranked against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.bench import compare
from workbench.bench.records import CONTROL, LaneRecord
from workbench.bench.session import RaceSession
from workbench.bench.warmup import steady_from

DOTS = 120
IDLE = "Nothing has been measured yet, so nothing can be told. Press Start."


def summarise(session: RaceSession | None) -> dict[str, Any]:
    """Return the state of a race, JSON-able and of bounded size.

    Parameters
    ----------
    session : RaceSession or None
        None: before the first race.
    """
    if session is None:
        return {"state": "new", "sentence": IDLE, "lanes": [], "trouble": ""}
    with session.lock:
        records = session.records()
        baseline = session.lanes[session.baseline]
        control = compare.compare(session.lanes[CONTROL], baseline)
        threshold = compare.noise_threshold(control)
        lanes = [_lane(record, baseline, threshold) for record in records]
    label, waited = session.waiting_for
    return {
        "state": session.state,
        "reason": session.reason,
        "problem": session.problem.name,
        "size": session.size,
        "size_means": session.problem.size_means,
        "cache": session.cache,
        "threads": session.threads,
        "baseline": session.baseline,
        "threshold": threshold,
        "lanes": lanes,
        "waiting": f"{label} has been running for {waited:.0f} s" if label and waited > 1 else "",
        "sentence": _sentence(session, lanes),
        "trouble": "",
    }


def _lane(record: LaneRecord, baseline: LaneRecord, threshold: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "label": record.label,
        "control_of": record.control_of,
        "provenance": str(record.provenance),
        "model": record.model,
        "stated_error": record.stated_error,
        "count": len(record.samples_ns),
        "first_call_ns": record.first_call_ns,
        "prepare_ns": record.prepare_ns,
        "audits": record.audits,
        "max_abs_error": record.max_abs_error,
        "notes": record.notes,
        "error": record.error,
    }
    if not len(record.samples_ns):
        return shown
    cut = steady_from(record.samples_ns)
    steady = np.asarray(record.samples_ns, float)[cut or 0 :]
    shown |= compare.quantiles(steady)
    shown["settled"] = cut is not None
    shown["warm_up_calls"] = cut or 0
    step = max(1, len(steady) // DOTS)
    shown["dots"] = [round(float(v), 1) for v in steady[::step][-DOTS:]]
    alike = record.provenance == baseline.provenance and record is not baseline
    if alike and not record.error:
        found = compare.compare(record, baseline, threshold)
        if found is not None:
            shown |= {
                "speedup": found.speedup,
                "low": found.low,
                "high": found.high,
                "verdict": str(found.verdict),
                "rounds": found.rounds,
            }
            shown["words"] = compare.in_words(record.label, found, baseline.label)
    return shown


def _sentence(session: RaceSession, lanes: list[dict[str, Any]]) -> str:
    """Say what the picture shows now; first of all what it cannot tell."""
    if session.state == "preparing":
        ready = sum(lane["first_call_ns"] is not None for lane in lanes)
        return f"Preparing: {ready} of {len(lanes)} lanes are ready. Nothing is measured yet."
    told = [lane for lane in lanes if "verdict" in lane and lane["label"] != CONTROL]
    if not told:
        failed = [lane["label"] for lane in lanes if lane["error"]]
        if failed and session.done:
            return f"The race ended with nothing to compare; failed: {', '.join(failed)}."
        return "Too few rounds yet: this cannot tell which is faster."
    best = max(told, key=lambda lane: abs(np.log(lane["speedup"])))
    open_ = [lane["label"] for lane in told if lane["verdict"] == "inconclusive"]
    rest = f" It cannot tell {', '.join(open_)} from {session.baseline}." if open_ else ""
    return best["words"] + rest if best["verdict"] != "inconclusive" else rest.strip()
