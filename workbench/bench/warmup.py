"""Find where a series of latencies becomes steady, instead of guessing how much to throw away.

The rule is MSER-5: cut where the standard error of what remains is smallest (K. P. White,
"An effective truncation heuristic for bias reduction in simulation output", Simulation 69, 1997;
in batches of five: K. P. White, M. J. Cobb and S. C. Spratt, Winter Simulation Conference 2000).
It is applied to logarithms with the outer twentieths pulled in, since latencies have long tails.

No sample is dropped from a record: the cut is a number beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BATCH = 5


def steady_from(samples_ns: Sequence[float] | np.ndarray) -> int | None:
    """Return the place of the first steady sample, or None where it cannot be told yet.

    Parameters
    ----------
    samples_ns : sequence of float
        In the order taken.

    Returns
    -------
    int or None
        None where there are fewer than four batches of five, or where the best cut would be in
        the second half: then the series has not settled.
    """
    count = len(samples_ns) // BATCH
    if count < 4:
        return None
    logs = np.log(np.maximum(np.asarray(samples_ns[: count * BATCH], float), 1.0))
    low, high = np.quantile(logs, (0.05, 0.95))
    means = np.clip(logs, low, high).reshape(count, BATCH).mean(1)
    means -= means.mean()
    left = np.arange(count, 0, -1)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    spread = np.maximum(squares - sums**2 / left, 0.0) / left**2
    spread = spread[: max(1, count - 3)]
    best = int(np.argmax(spread <= spread.min() + 1e-15))  # the earliest of equals
    return None if best > count // 2 else best * BATCH
