"""In which order threads and blocks go where the programming model leaves it open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Order = Callable[[int], Sequence[int]]


def forward(count: int) -> Sequence[int]:
    """Lowest index first."""
    return range(count)


def backward(count: int) -> Sequence[int]:
    """Highest index first."""
    return range(count - 1, -1, -1)


def shuffled(seed: int) -> Order:
    """Return an order drawn at random, the same for the same seed."""

    def order(count: int) -> Sequence[int]:
        return np.random.default_rng([seed, count]).permutation(count).tolist()

    return order
