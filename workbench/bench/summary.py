"""A race as plain JSON: what a widget, the command line and a static picture show.

Each lane's samples become quantiles, a small sample of dots and its comparison with the baseline;
the raw samples stay on the records. Lanes of different provenance go into separate groups, which
are never ranked against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.bench import compare, conditions
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.warmup import steady_from

DOTS = 120
IDLE = "Nothing has been measured yet, so nothing can be told. Press Start."


def summarise(run: Run | None, waiting: str = "", trouble: str = "") -> dict[str, Any]:
    """Return the state of a race, JSON-able and of bounded size.

    Parameters
    ----------
    run : Run or None
        None: before the first race.
    waiting, trouble : str
        Sentences to be shown: what the race waits for, and what else went wrong.
    """
    if run is None:
        return {"state": "new", "sentence": IDLE, "lanes": [], "trouble": trouble}
    baseline = run.lanes[run.baseline]
    control = run.lanes.get(CONTROL)
    twin = run.lanes[control.control_of] if control else baseline
    threshold = compare.noise_threshold(compare.compare(control, twin) if control else None)
    lanes = [_lane(run, record, baseline, threshold) for record in run.lanes.values()]
    return {
        **run.facts(),
        "threshold": threshold,
        "lanes": lanes,
        "waiting": waiting,
        "warnings": conditions.sentences(run.conditions),
        "sentence": _sentence(run, lanes),
        "trouble": trouble,
    }


def _lane(run: Run, record: LaneRecord, baseline: LaneRecord, threshold: float) -> dict[str, Any]:
    shown: dict[str, Any] = {
        **record.facts(),
        "provenance": str(run.provenance_of(record)),
        "count": len(record.samples_ns),
    }
    if not len(record.samples_ns):
        return shown
    cut = steady_from(record.samples_ns)
    steady = np.asarray(record.samples_ns, float)[cut or 0 :]
    shown |= compare.quantiles(steady)
    shown["settled"] = cut is not None
    shown["warm_up_calls"] = cut or 0
    slower = compare.drift(record, None if record is baseline else baseline)
    if slower is not None:
        words = f"It became {slower:.2f}x slower while it ran: one median does not describe it."
        shown["notes"] = [*record.notes, words]
    step = max(1, len(steady) // DOTS)
    shown["dots"] = [round(float(v), 1) for v in steady[::step][-DOTS:]]
    alike = record.provenance == baseline.provenance and record is not baseline
    if alike and not record.error:
        # The control shows what the threshold is made of, so it is held to the least one.
        limit = compare.THRESHOLD if record.control_of else threshold
        found = compare.compare(record, baseline, limit)
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


def _sentence(run: Run, lanes: list[dict[str, Any]]) -> str:
    """Say what the picture shows now; first of all what it cannot tell."""
    if run.state == "preparing":
        ready = sum(lane["first_call_ns"] is not None for lane in lanes)
        return f"Preparing: {ready} of {len(lanes)} lanes are ready. Nothing is measured yet."
    told = [lane for lane in lanes if "verdict" in lane and lane["label"] != CONTROL]
    if not told:
        failed = [lane["label"] for lane in lanes if lane["error"]]
        if failed and run.state == "done":
            return f"The race ended with nothing to compare; failed: {', '.join(failed)}."
        return "Too few rounds yet: this cannot tell which is faster."
    best = max(told, key=lambda lane: abs(np.log(lane["speedup"])))
    open_ = [lane["label"] for lane in told if lane["verdict"] == "inconclusive"]
    rest = f" It cannot tell {', '.join(open_)} from {run.baseline}." if open_ else ""
    return best["words"] + rest if best["verdict"] != "inconclusive" else rest.strip()
