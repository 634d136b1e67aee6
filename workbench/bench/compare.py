"""Say which of two lanes is faster, by how much, and when that cannot be said.

The samples of one round were taken close together, so the ratio of two lanes is formed inside each
round, as a difference of logarithms. Neighbouring rounds resemble each other (a busy neighbour, a
clock that changes), so rounds are gathered into blocks of consecutive rounds, and the blocks are
what the bootstrap draws from (H. R. Künsch, "The jackknife and the bootstrap for general
stationary observations", Annals of Statistics 17, 1989; percentile interval: B. Efron, 1979).

A difference smaller than the noise threshold is not a difference. The threshold is 1 %, or as
much as the A/A control lane, which is the baseline a second time, shows on this run.

It refuses to rank measurements of different provenance: `workbench.measurement.comparable` raises.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from workbench.bench.records import LaneRecord
from workbench.bench.warmup import steady_from

THRESHOLD = 0.01
"""The least ratio beyond 1 that is called a difference."""
LARGEST_THRESHOLD = 0.25
LEVEL = 0.95
DRAWS = 1000
DRIFT = 1.1
"""A lane that becomes this many times slower while it runs is told of."""
_BLOCKS = 40
_LEAST_ROUNDS = 12


class Verdict(StrEnum):
    """What can be said of a lane against the baseline."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Comparison:
    """A lane against the baseline.

    Attributes
    ----------
    speedup, low, high : float
        Baseline latency over the lane's latency: above 1 the lane is faster. The interval holds
        the truth in `LEVEL` of cases.
    verdict : Verdict
    threshold : float
        The noise threshold that was applied: 0.01 is 1 %.
    rounds : int
        Rounds that both lanes ran after the warm-up.
    warm_up_rounds : int
        Rounds left out because the lanes had not settled.
    """

    speedup: float
    low: float
    high: float
    verdict: Verdict
    threshold: float
    rounds: int
    warm_up_rounds: int


def compare(
    lane: LaneRecord, baseline: LaneRecord, threshold: float = THRESHOLD
) -> Comparison | None:
    """Compare two lanes of one race; None while there are too few rounds to say anything.

    Parameters
    ----------
    lane, baseline : LaneRecord
    threshold : float
        See `noise_threshold`.
    """
    logs, dropped = paired_logs(lane, baseline)
    if len(logs) < _LEAST_ROUNDS:
        return None
    centre, low, high = interval(logs)
    return Comparison(
        speedup=math.exp(centre),
        low=math.exp(low),
        high=math.exp(high),
        verdict=_verdict(low, high, math.log1p(threshold)),
        threshold=threshold,
        rounds=len(logs),
        warm_up_rounds=dropped,
    )


def noise_threshold(control: Comparison | None) -> float:
    """Return the threshold for a run whose A/A control compares like that.

    Two identical lanes that differ by 3 % show that 3 % means nothing here today.
    """
    if control is None:
        return THRESHOLD
    seen = max(control.speedup, 1 / control.speedup) - 1
    return min(LARGEST_THRESHOLD, max(THRESHOLD, seen))


def paired_logs(lane: LaneRecord, baseline: LaneRecord) -> tuple[np.ndarray, int]:
    """Return ``log(baseline / lane)`` of the rounds both ran after settling, and how many not."""
    common, mine, theirs = np.intersect1d(
        np.frombuffer(lane.rounds, np.int64) if lane.rounds else np.zeros(0, np.int64),
        np.frombuffer(baseline.rounds, np.int64) if baseline.rounds else np.zeros(0, np.int64),
        assume_unique=True,
        return_indices=True,
    )
    if not len(common):
        return np.zeros(0), 0
    own = np.asarray(lane.samples_ns, float)[mine]
    other = np.asarray(baseline.samples_ns, float)[theirs]
    cuts = [steady_from(series) for series in (own, other)]
    cut = max((c for c in cuts if c is not None), default=0)
    return np.log(np.maximum(other, 1.0) / np.maximum(own, 1.0))[cut:], cut


def interval(logs: np.ndarray) -> tuple[float, float, float]:
    """Return the centre of log-ratios and a bootstrap interval around it.

    The centre is the mean of the medians of up to `_BLOCKS` blocks of consecutive rounds.
    """
    blocks = np.array_split(logs, min(_BLOCKS, max(_LEAST_ROUNDS // 2, len(logs) // 4)))
    medians = np.array([np.median(block) for block in blocks])
    rng = np.random.default_rng(len(logs))
    drawn = rng.choice(medians, (DRAWS, len(medians))).mean(1)
    low, high = np.quantile(drawn, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(medians.mean()), float(low), float(high)


def _verdict(low: float, high: float, limit: float) -> Verdict:
    if low > limit:
        return Verdict.FASTER
    if high < -limit:
        return Verdict.SLOWER
    if -limit <= low and high <= limit:
        return Verdict.SAME
    return Verdict.INCONCLUSIVE


def in_words(label: str, comparison: Comparison | None, baseline: str) -> str:
    """Return the comparison as a sentence."""
    if comparison is None:
        return f"{label}: too few rounds yet to compare with {baseline}."
    c = comparison
    if c.verdict is Verdict.FASTER:
        span = _span(c.low, c.high)
        return f"{label} is {_plain(c.speedup)}x faster than {baseline}, {span}."
    if c.verdict is Verdict.SLOWER:
        span = _span(1 / c.high, 1 / c.low)
        return f"{label} is {_plain(1 / c.speedup)}x slower than {baseline}, {span}."
    if c.verdict is Verdict.SAME:
        return f"{label} and {baseline} are the same within {c.threshold:.1%}."
    span = _span(c.low, c.high, "and")
    return f"{label} against {baseline} is inconclusive: the ratio lies between {span}."


def drift(lane: LaneRecord, baseline: LaneRecord | None = None) -> float | None:
    """Return by which factor a lane became slower from its first to its last third.

    With a baseline, the machine's own drift in the same rounds is divided out. None where there
    are too few samples, or where the change is within `DRIFT`.
    """
    if baseline is None:
        logs = np.log(np.maximum(np.asarray(lane.samples_ns, float), 1.0))
        logs = logs[steady_from(lane.samples_ns) or 0 :]
    else:
        logs = -paired_logs(lane, baseline)[0]
    third = len(logs) // 3
    if third < _LEAST_ROUNDS:
        return None
    factor = math.exp(float(np.median(logs[-third:]) - np.median(logs[:third])))
    quarter = np.quantile(logs[-third:], 0.25) > np.quantile(logs[:third], 0.75)
    return factor if factor > DRIFT and quarter else None


def quantiles(samples_ns: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return p5, p25, p50, p75, p95 in nanoseconds."""
    values = np.quantile(np.asarray(samples_ns, float), (0.05, 0.25, 0.5, 0.75, 0.95))
    return dict(zip(("p5", "p25", "p50", "p75", "p95"), map(float, values), strict=True))


def _span(low: float, high: float, joined: str = "to") -> str:
    """Return an interval with as many digits as it takes to tell its ends apart, at most seven."""
    for digits in range(2, 7):
        ends = [_plain(end, digits) for end in (low, high)]
        if ends[0] != ends[1]:
            break
    return f"{ends[0]} {joined} {ends[1]}"


def _plain(ratio: float, digits: int = 2) -> str:
    return f"{ratio:.{digits}f}" if ratio < 10 else f"{ratio:.{digits + 1}g}"
