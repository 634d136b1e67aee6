"""A race as plain JSON: what a widget, the command line and a static picture show.

Each lane's samples become quantiles, a small sample of dots and its comparison with the baseline;
the raw samples stay on the records. Lanes of different provenance go into separate groups, which
are never ranked against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.bench import compare, conditions, fingerprint
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.warmup import steady_from

DOTS = 120
IDLE = "Nothing has been measured yet, so nothing can be told. Press Start."


def summarise(
    run: Run | None, waiting: str = "", trouble: str = "", told: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the state of a race, JSON-able and of bounded size.

    Parameters
    ----------
    run : Run or None
        None: before the first race.
    waiting, trouble : str
        Sentences to be shown: what the race waits for, and what else went wrong.
    told : dict, optional
        What `tell` found a moment ago, so that a live picture need not compute it again.
    """
    if run is None:
        return {"state": "new", "sentence": IDLE, "lanes": [], "trouble": trouble}
    told = tell(run) if told is None else told
    lanes = [_lane(run, record, told["lanes"][record.label]) for record in run.lanes.values()]
    return {
        **run.facts(),
        "where": run.where(),
        "threshold": told["threshold"],
        "lanes": lanes,
        "waiting": waiting,
        "warnings": told["warnings"],
        "sentence": _sentence(run, lanes),
        "trouble": trouble,
    }


def tell(run: Run) -> dict[str, Any]:
    """Compare every lane with the baseline: the part of a summary that takes time."""
    baseline = run.lanes[run.baseline]
    control = run.lanes.get(CONTROL)
    twin = run.lanes[control.control_of] if control else baseline
    threshold = compare.noise_threshold(compare.compare(control, twin) if control else None)
    lanes = {label: _told(record, baseline, threshold) for label, record in run.lanes.items()}
    warnings = conditions.sentences(run.conditions, fingerprint.processors(run.machine))
    return {"threshold": threshold, "lanes": lanes, "warnings": warnings}


def _told(record: LaneRecord, baseline: LaneRecord, threshold: float) -> dict[str, Any]:
    """Return what can be told of one lane: its warm-up, its drift and its verdict."""
    cut = steady_from(record.samples_ns)
    found: dict[str, Any] = {"settled": cut is not None, "warm_up_calls": cut or 0}
    slower = compare.drift(record, None if record is baseline else baseline)
    if slower is not None:
        words = f"It became {slower:.2f}x slower while it ran: one median does not describe it."
        found["notes"] = [*record.notes, words]
    alike = record.provenance == baseline.provenance and record is not baseline
    if not alike or record.error or baseline.error:
        return found
    # The control shows what the threshold is made of, so it is held to the least one.
    limit = compare.THRESHOLD if record.control_of else threshold
    result = compare.compare(record, baseline, limit)
    if result is None:
        return found
    return found | {
        "speedup": result.speedup,
        "low": result.low,
        "high": result.high,
        "verdict": str(result.verdict),
        "rounds": result.rounds,
        "words": compare.in_words(record.label, result, baseline.label),
    }


def _lane(run: Run, record: LaneRecord, told: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        **record.facts(),
        "provenance": str(run.provenance_of(record)),
        "count": len(record.samples_ns),
    }
    if not len(record.samples_ns):
        return shown
    steady = np.asarray(record.samples_ns, float)[told["warm_up_calls"] :]
    step = max(1, len(steady) // DOTS)
    shown["dots"] = [round(float(v), 1) for v in steady[::step][-DOTS:]]
    return shown | told | compare.quantiles(steady)


def _sentence(run: Run, lanes: list[dict[str, Any]]) -> str:
    """Say what the picture shows now; first of all what it cannot tell."""
    if run.state == "preparing":
        ready = sum(lane["first_call_ns"] is not None for lane in lanes)
        return f"Preparing: {ready} of {len(lanes)} lanes are ready. Nothing is measured yet."
    told = [lane for lane in lanes if "verdict" in lane and lane["label"] != CONTROL]
    if not told:
        failed = [lane["label"] for lane in lanes if lane["error"]]
        if run.baseline in failed:
            return (
                f"{run.baseline}, which the others are compared with, left the race: nothing can "
                "be told of them. Choose another baseline."
            )
        if failed and run.state == "done":
            return f"The race ended with nothing to compare; failed: {', '.join(failed)}."
        if run.state == "done":
            return f"It ended ({run.reason}) before enough rounds: this cannot tell who is faster."
        return "Too few rounds yet: this cannot tell which is faster."
    best = max(told, key=lambda lane: abs(np.log(lane["speedup"])))
    open_ = [lane["label"] for lane in told if lane["verdict"] == "inconclusive"]
    first = f"It cannot tell {', '.join(open_)} from {run.baseline}. " if open_ else ""
    return first + best["words"] if best["verdict"] != "inconclusive" else first.strip()
