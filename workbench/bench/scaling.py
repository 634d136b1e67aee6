"""How latency grows with size, and from which size on one target beats another.

Built from races of one problem at several sizes. A crossing is claimed only between two sizes at
which the verdict is conclusive and turns; where exactly is interpolated on logarithms, and the two
sizes that were measured are named with it. Nothing is said beyond the sizes that were measured.

It refuses runs of different problems, machines, caches or provenance in one picture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

from workbench.bench import compare
from workbench.bench.compare import Verdict
from workbench.bench.records import CONTROL, Run
from workbench.errors import IncomparableMeasurementsError


def scaling(runs: Iterable[Run]) -> dict[str, Any]:
    """Return lines over size and their crossings, JSON-able.

    Parameters
    ----------
    runs : iterable of Run
        Of one problem; a later run of the same size takes the place of an earlier one.

    Raises
    ------
    IncomparableMeasurementsError
        Where the runs do not belong in one picture.
    """
    by_size = {run.size: run for run in runs}
    kept = [by_size[size] for size in sorted(by_size)]
    _same_kind(kept)
    lines: dict[str, list[dict[str, Any]]] = {}
    for run in kept:
        for lane in run.lanes.values():
            if lane.samples_ns and not lane.error and lane.label != CONTROL:
                point = compare.quantiles(lane.samples_ns)
                point |= {"size": run.size, "first_call_ns": lane.first_call_ns}
                point |= {"provenance": str(run.provenance_of(lane))}
                lines.setdefault(lane.label, []).append(point)
    return {
        "problem": kept[0].problem if kept else "",
        "size_means": kept[0].size_means if kept else "",
        "machine": kept[0].where() if kept else "",
        "baseline": kept[0].baseline if kept else "",
        "lines": [{"label": label, "points": points} for label, points in lines.items()],
        "crossings": _crossings(kept),
    }


def crossing_words(crossing: dict[str, Any], size_means: str) -> str:
    """Return a crossing as a sentence."""
    low, high = crossing["between"]
    return (
        f"{crossing['faster']} pays from about {_rounded(crossing['size']):,} {size_means} on "
        f"against {crossing['slower']} (measured at {low:,} and {high:,})"
    )


def _same_kind(runs: list[Run]) -> None:
    for what in ("problem", "machine", "batch", "cache", "threads", "recorded"):
        seen = sorted({str(getattr(run, what)) for run in runs})
        if len(seen) > 1:
            raise IncomparableMeasurementsError(
                f"These runs differ in {what} and do not belong in one picture.",
                ", ".join(seen),
                "draw them apart",
            )


def _crossings(runs: list[Run]) -> list[dict[str, Any]]:
    """Return where the verdict of two lanes turns, for every pair of measured lanes."""
    labels = list(dict.fromkeys(label for run in runs for label in run.lanes if label != CONTROL))
    found = []
    for at, one in enumerate(labels):
        for other in labels[at + 1 :]:
            told = [(run.size, told_) for run in runs if (told_ := _between(run, one, other))]
            for (low, before), (high, after) in itertools.pairwise(told):
                if before[1] is not after[1]:
                    found.append(_crossing(one, other, (low, before[0]), (high, after[0])))
    return found


def _between(run: Run, one: str, other: str) -> tuple[float, Verdict] | None:
    """Return the log-ratio and verdict of two lanes of a run where it is conclusive."""
    mine, theirs = run.lanes.get(one), run.lanes.get(other)
    if mine is None or theirs is None or mine.provenance is not theirs.provenance:
        return None
    if any(lane.error or not lane.samples_ns for lane in (mine, theirs)):
        return None
    control = run.lanes.get(CONTROL)
    noise = compare.compare(control, run.lanes[control.control_of]) if control else None
    result = compare.compare(mine, theirs, compare.noise_threshold(noise))
    if result is None or result.verdict not in (Verdict.FASTER, Verdict.SLOWER):
        return None
    return math.log(result.speedup), result.verdict


def _crossing(
    one: str, other: str, before: tuple[int, float], after: tuple[int, float]
) -> dict[str, Any]:
    (low, ratio_low), (high, ratio_high) = before, after
    share = ratio_low / (ratio_low - ratio_high)
    size = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    faster, slower = (one, other) if ratio_high > 0 else (other, one)
    return {"faster": faster, "slower": slower, "size": size, "between": [low, high]}


def _rounded(value: float) -> int:
    """Round to two digits: an interpolated size has no more."""
    digits = max(0, math.floor(math.log10(max(value, 1))) - 1)
    return round(value / 10**digits) * 10**digits
