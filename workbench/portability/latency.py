"""How long a model takes where it really runs, with every sample.

Timed in the worker, so that no message between processes is in the number. It refuses to time
anything over a stand-in, and to rank: that is `workbench.bench`'s business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.measurement import Measurement, Provenance
from workbench.portability.workers.sessions import WorkerSession

LIMIT_S = 2.0
LEAST, MOST = 5, 200


def measured_latency(
    session: WorkerSession, feeds: Mapping[str, np.ndarray], target: str
) -> Measurement:
    """Return the latency of each of up to 200 runs in two seconds, the first call apart.

    Raises
    ------
    InputError
        Where the session runs over a stand-in.
    """
    first, samples = session.latencies(feeds, least=LEAST, most=MOST, limit_s=LIMIT_S)
    return Measurement(
        problem="model",
        target=target,
        size=1,
        samples_ns=tuple(samples),
        provenance=Provenance.MEASURED,
        first_call_ns=first,
    )


def latency_row(
    session: WorkerSession, feeds: Mapping[str, np.ndarray] | None, target: str, where: str
) -> dict[str, Any]:
    """Return a latency as plain JSON, with `where` it was measured in words."""
    found = measured_latency(session, feeds or {}, target)
    return {
        "where": where,
        "provenance": found.provenance.value,
        "median_ns": found.median_ns,
        "p10_ns": found.quantile_ns(0.1),
        "p90_ns": found.quantile_ns(0.9),
        "first_call_ns": found.first_call_ns,
        "samples_ns": list(found.samples_ns),
    }
