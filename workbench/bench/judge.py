"""Judge answers in another process than the one that gave them.

An audited call leaves its inputs and outputs in a file of plain arrays; here the oracle computes
what they should have been. The code under test cannot reach this process's statistics or oracle.
The samples are looked at too: `doubts` names what no honest lane shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from workbench import hardware
from workbench.bench import floor
from workbench.bench.engine import DECOY, NEW
from workbench.bench.records import LaneRecord, Run
from workbench.bench.warmup import steady_from
from workbench.measurement import Provenance
from workbench.problem import Accuracy, Problem

Doubt = tuple[str, str, str, str]
"""A lane's label, the kind of error, what happened, and what was seen."""
REMEMBERS = 1.6
"""A lane this many times faster on contents it has met before remembers answers."""
_LEAST_NEW = 10


def audit(problem: Problem, path: Path) -> Accuracy:
    """Compare one saved call with the oracle, and remove the file.

    Parameters
    ----------
    problem : Problem
    path : Path
        An ``.npz`` with ``in0, in1, ...`` and ``out0, ...``; loaded without pickle.
    """
    with np.load(path, allow_pickle=False) as saved:
        arrays = {name: saved[name] for name in saved.files}
    path.unlink(missing_ok=True)
    inputs = tuple(_scalar(arrays[f"in{at}"]) for at in range(_count(arrays, "in")))
    outputs = tuple(arrays[f"out{at}"] for at in range(_count(arrays, "out")))
    with np.errstate(all="ignore"):
        return problem.compare(outputs, inputs)


def doubts(run: Run, trusted: set[str]) -> Iterator[Doubt]:
    """Yield what the samples themselves give away.

    Parameters
    ----------
    run : Run
    trusted : set of str
        Labels of our own targets, which may have clocks of their own.
    """
    least_ns = floor.processor_floor_ns(run.bytes_moved, run.operations)
    for lane in run.lanes.values():
        if lane.error or not lane.samples_ns or lane.provenance is not Provenance.MEASURED:
            continue
        yield from _too_fast(lane, run, least_ns, lane.label in trusted)
        yield from _wrong_clock(lane)
        if lane.label not in trusted:
            yield from _remembers(lane)


def _too_fast(lane: LaneRecord, run: Run, least_ns: float, trusted: bool) -> Iterator[Doubt]:
    device = run.environment.get("devices", {}).get(lane.label, "") if trusted else ""
    if device:
        sheet = hardware.sheet_of(device)
        if sheet is None:
            return  # a chip without a data sheet: this processor's bound says nothing about it
        least_ns = floor.device_floor_ns(sheet, run.bytes_moved, run.operations)
    middle = float(np.median(lane.samples_ns))
    if middle < least_ns:
        yield (
            lane.label,
            "TooFastError",
            "It is faster than the hardware can be, so it did not do the work.",
            f"{middle:.0f} ns a call; {run.bytes_moved:,} bytes and {run.operations:,} operations "
            f"take at least {least_ns:.0f} ns",
        )


def _wrong_clock(lane: LaneRecord) -> Iterator[Doubt]:
    calls = len(lane.samples_ns)
    # One call may be interrupted between the two clocks; a fifth of all calls may not.
    if calls >= 10 and lane.disagreed > 0.2 * calls:
        yield (
            lane.label,
            "ClockError",
            "Two clocks disagree about its calls.",
            f"a second clock saw much more time in {lane.disagreed} of {calls} calls",
        )


def _remembers(lane: LaneRecord) -> Iterator[Doubt]:
    cut = steady_from(lane.samples_ns) or 0
    samples = np.asarray(lane.samples_ns, float)[cut:]
    kinds = np.asarray(lane.fresh)[cut:]
    new, met = samples[kinds == NEW], samples[kinds == DECOY]
    if min(len(new), len(met)) < _LEAST_NEW:
        return
    # The quick quarter of the new ones against the middle of the others: noise does not do that.
    quick, middle = float(np.quantile(new, 0.25)), float(np.median(met))
    if quick > REMEMBERS * middle:
        yield (
            lane.label,
            "RememberingError",
            "It is faster on contents it has met before: it remembers answers.",
            f"{np.median(new) / 1e3:.1f} µs on new contents, {middle / 1e3:.1f} µs on contents "
            "met before",
        )


def _count(arrays: dict[str, np.ndarray], kind: str) -> int:
    return sum(name.startswith(kind) for name in arrays)


def _scalar(value: np.ndarray) -> np.ndarray | np.generic:
    return value if value.ndim else value[()]
