"""One pass of a radix sort: order the keys by one digit of four bits, and keep ties in order.

Eight passes, from the lowest digit up, sort 32-bit keys; that only works because each is stable.
"""

import numpy as np

from workbench.problem import Problem, poisoned

DIGITS = 16


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 2**31, size, dtype=np.int32), np.int32(4)


def _reference(keys, shift):
    return keys[np.argsort(keys >> shift & (DIGITS - 1), kind="stable")]


problem = Problem(
    name="radix_sort_pass",
    summary="out = keys, stably ordered by the four bits of each key that begin at bit `shift`",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda keys, shift: (poisoned(keys.shape, np.int32),),
    bytes_moved=lambda size: 2 * 4 * size,
    operations=lambda size: 2 * size,
    size=1_000_000,
    size_means="keys",
    test_sizes=(1, 33, 257, 1000),
)
