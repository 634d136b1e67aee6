"""Does the harness call identical targets different, and does it find a true 5 %?

Two bars of the project, measured on whatever machine this runs on. Nothing here is a timed unit
test: it prints counts, and the machine's load beside them.

    python tests/benchmarks/aa_ab.py aa --trials 200 --seconds 2
    python tests/benchmarks/aa_ab.py ab --trials 30 --seconds 60

A/A: two lanes with the same code, plus the control, on a matrix product of 192 x 192; wanted: of
200 trials at most 10 called different, at most 2 by more than 1 %, at most 40 % inconclusive.
A/B: a lane that does a true 5 % more of the same work in about 10 ms; wanted: found in at least 24
of 30 trials within 60 s each.
"""

import argparse
import collections
import json
import os
import time

import numpy as np

from workbench import catalog
from workbench.bench.session import RaceSession
from workbench.problem import Problem


def one(a, b):
    return a @ b


def other(a, b):
    return a @ b


def steps_problem():
    """Return a problem whose work is a chain of equal steps, so that 5 % more is 5 % more."""
    return Problem(
        name="chain",
        summary="out = x after many small products",
        inputs=lambda size, seed: (
            np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32) / size,
        ),
        reference=lambda x: x.copy(),
        outputs=lambda x: (np.empty_like(x),),
        bytes_moved=lambda size: 8 * size * size,
        operations=lambda size: 0,
        size=96,
        test_sizes=(8, 33),
    )


def chain(count):
    def steps(x):
        for _ in range(count):
            x @ x
        return x.copy()

    return steps


def calibrated(milliseconds=10.0):
    """Return how many steps take about that long here; a multiple of 20, so that 5 % is exact."""
    x = steps_problem().inputs(96, 0)[0]
    work, best = chain(200), float("inf")
    for _ in range(5):
        start = time.perf_counter()
        work(x)
        best = min(best, time.perf_counter() - start)
    return max(20, round(200 * milliseconds / 1e3 / best / 20) * 20)


def trial_aa(seconds):
    session = RaceSession(catalog.load_problem("matmul"), [one, other], size=192, seconds=seconds)
    return _lane(session, "other")


def trial_ab(seconds, count):
    less, more = chain(count), chain(count * 21 // 20)
    less.__name__, more.__name__ = "less", "more"
    session = RaceSession(steps_problem(), [less, more], size=96, seconds=seconds, until_sure=True)
    return _lane(session, "more")


def _lane(session, label):
    began = time.monotonic()
    session.start().join(300)
    lanes = {lane["label"]: lane for lane in session.summary()["lanes"]}
    lane = lanes[label]
    if lane["error"]:
        raise SystemExit(f"{label}: {lane['error']}")
    return {
        "verdict": lane.get("verdict", "inconclusive"),
        "speedup": lane.get("speedup"),
        "low": lane.get("low"),
        "high": lane.get("high"),
        "control": lanes["A/A control"].get("speedup"),
        "threshold": session.summary()["threshold"],
        "rounds": lane.get("rounds", 0),
        "wall_s": round(time.monotonic() - began, 2),
        "load": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bar", choices=["aa", "ab"])
    parser.add_argument("--trials", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--raw", help="Write every trial to this JSON file.")
    options = parser.parse_args()
    trials = options.trials or {"aa": 200, "ab": 30}[options.bar]
    seconds = options.seconds or {"aa": 2.0, "ab": 60.0}[options.bar]
    count = calibrated() if options.bar == "ab" else 0
    found = []
    for number in range(trials):
        found.append(trial_aa(seconds) if options.bar == "aa" else trial_ab(seconds, count))
        if (number + 1) % 20 == 0 or number + 1 == trials:
            report(options.bar, found)
    if options.raw:
        with open(options.raw, "w", encoding="utf-8") as file:
            json.dump(found, file)


def report(bar, found):
    verdicts = collections.Counter(trial["verdict"] for trial in found)
    load = np.median([trial["load"] for trial in found])
    print(f"{len(found)} trials, median load {load:.1f}: {dict(verdicts)}", flush=True)
    if bar == "aa":
        different = [t for t in found if t["verdict"] in ("faster", "slower")]
        beyond = [t for t in different if abs(t["speedup"] - 1) > 0.01]
        share = verdicts["inconclusive"] / len(found)
        print(
            f"  called different {len(different)}, by more than 1 % {len(beyond)}, "
            f"inconclusive {share:.0%}; middle threshold "
            f"{np.median([t['threshold'] for t in found]):.1%}",
            flush=True,
        )
    else:
        right = [t for t in found if t["verdict"] == "slower"]
        walls = [t["wall_s"] for t in found]
        print(
            f"  found {len(right)}; ratio {np.median([t['speedup'] for t in found]):.4f} "
            f"(true 0.9524); seconds: middle {np.median(walls):.1f}, most {max(walls):.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
