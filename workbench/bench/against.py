"""Compare runs that were taken at different times.

Samples of two runs do not come in pairs, so what moved between them (another load, another clock
rate) is in the ratio. The A/A controls of both runs say how much that may be; a difference within
it is not called one. Runs of another problem, size, machine or provenance are refused.
"""

from __future__ import annotations

import numpy as np

from workbench.bench import compare
from workbench.bench.compare import Comparison, Verdict
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.warmup import steady_from
from workbench.errors import IncomparableMeasurementsError, InputError
from workbench.measurement import comparable

UNPAIRED = 0.05
"""The least ratio beyond 1 that is called a difference between two runs."""


def runs(first: Run, second: Run) -> dict[str, Comparison]:
    """Compare each target that both runs have; above 1 the second run was faster.

    Raises
    ------
    IncomparableMeasurementsError
        Where problem, size, machine, provenance, batch, cache or threads differ.
    InputError
        Where they have no target in common.
    """
    for what in ("batch", "cache", "threads"):
        if getattr(first, what) != getattr(second, what):
            raise IncomparableMeasurementsError(
                f"These runs differ in {what} and cannot be compared.",
                f"{getattr(first, what)} and {getattr(second, what)}",
                "measure both in the same way",
            )
    mine, theirs = ({m.target: m for m in run.measurements()} for run in (first, second))
    common = [label for label in mine if label in theirs]
    if not common:
        raise InputError(
            "These runs have no target in common.",
            f"{', '.join(mine) or 'none'}; and {', '.join(theirs) or 'none'}",
            "name two runs of the same target",
        )
    threshold = max(UNPAIRED, *(_control_threshold(run) for run in (first, second)))
    found = {}
    for label in common:
        comparable([mine[label], theirs[label]])
        found[label] = _unpaired(first.lanes[label], second.lanes[label], threshold)
    return found


def _control_threshold(run: Run) -> float:
    control = run.lanes.get(CONTROL)
    if control is None:
        return compare.THRESHOLD
    return compare.noise_threshold(compare.compare(control, run.lanes[control.control_of]))


def _unpaired(before: LaneRecord, after: LaneRecord, threshold: float) -> Comparison:
    rng = np.random.default_rng(len(before.samples_ns))
    drawn, centre = [], []
    for lane in (before, after):
        cut = steady_from(lane.samples_ns) or 0
        logs = np.log(np.maximum(np.asarray(lane.samples_ns, float)[cut:], 1.0))
        blocks = np.array([np.median(b) for b in np.array_split(logs, min(40, len(logs)))])
        centre.append(float(blocks.mean()))
        drawn.append(rng.choice(blocks, (compare.DRAWS, len(blocks))).mean(1))
    tail = (1 - compare.LEVEL) / 2
    low, high = np.quantile(drawn[0] - drawn[1], (tail, 1 - tail))
    limit = np.log1p(threshold)
    verdict = (
        Verdict.FASTER
        if low > limit
        else Verdict.SLOWER
        if high < -limit
        else Verdict.SAME
        if -limit <= low and high <= limit
        else Verdict.INCONCLUSIVE
    )
    calls = min(len(before.samples_ns), len(after.samples_ns))
    speedup, low, high = (float(np.exp(value)) for value in (centre[0] - centre[1], low, high))
    return Comparison(speedup, low, high, verdict, threshold, calls, 0)
