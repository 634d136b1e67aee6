"""How long a model takes on this machine's CPU, with every sample, and what it needs of memory.

Only what really runs here is timed. It refuses to time anything over a stand-in, and to compare:
the rankings are `workbench.bench`'s business.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.measurement import Measurement, Provenance
from workbench.portability.session import CPU, open_session

LIMIT_S = 2.0
LEAST, MOST = 5, 200


def measured_latency(model: Any, feeds: Mapping[str, np.ndarray]) -> Measurement:
    """Return the latency of each of up to 200 runs in two seconds, on one thread of the CPU.

    Parameters
    ----------
    model : onnx.ModelProto
        One that is known to run: in this process a crash would be ours.
    feeds : mapping
        Inputs by name.
    """
    session = open_session(model, CPU, threads=1)
    started = time.perf_counter_ns()
    session.run(feeds)
    first = time.perf_counter_ns() - started
    samples = []
    while len(samples) < LEAST or (
        len(samples) < MOST and time.perf_counter_ns() - started < LIMIT_S * 1e9
    ):
        before = time.perf_counter_ns()
        session.run(feeds)
        samples.append(float(time.perf_counter_ns() - before))
    return Measurement(
        problem="model",
        target="ort_cpu",
        size=1,
        samples_ns=tuple(samples),
        provenance=Provenance.MEASURED,
        first_call_ns=float(first),
    )


def latency_section(model: Any, feeds: Mapping[str, np.ndarray] | None) -> dict[str, Any]:
    """Return the report's section on latency and memory."""
    if feeds is None:
        return {"reason": "there are no inputs to run on"}
    found = measured_latency(model, feeds)
    return {
        "where": "ONNX Runtime's CPU, one thread, this machine",
        "provenance": found.provenance.value,
        "median_ns": found.median_ns,
        "p10_ns": found.quantile_ns(0.1),
        "p90_ns": found.quantile_ns(0.9),
        "first_call_ns": found.first_call_ns,
        "samples_ns": list(found.samples_ns),
        "input_bytes": int(sum(np.asarray(value).nbytes for value in feeds.values())),
    }
