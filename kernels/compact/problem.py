"""Stream compaction: keep the positive elements, in order, and say how many there are."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    return (np.random.default_rng(seed).standard_normal(size, dtype=np.float32),)


def _reference(x):
    kept = x[x > 0]
    return np.concatenate([kept, np.zeros(x.size - kept.size, x.dtype)]), np.array(
        [kept.size], "i4"
    )


problem = Problem(
    name="compact",
    summary="out = the x[i] > 0 in order, then zeros; count = how many were kept",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x: (poisoned(x.shape), poisoned(1, np.int32)),
    bytes_moved=lambda size: 2 * 4 * size + 4,
    operations=lambda size: size,
    size=1_000_000,
    test_sizes=(1, 31, 257, 1000),
)
