"""Fresh contents for the same buffers: what every timed call computes on.

Answers remembered by address, by call count or by contents must not pay. A small pool of inputs
is made from seeds that nobody can guess; before each call one of them is chosen and one of its
numbers is changed a little; and all the time members are replaced by new ones. A sample taken on
contents that were never seen before is marked, so that `judge` can compare a lane's time on new
contents with its time on contents it has met.

It refuses to make inputs in its own way: all come from ``problem.inputs``, so that they are valid.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from workbench.problem import Problem

POOL_BYTES = 128 * 2**20
"""The most memory that the pool may take."""
MEMBERS = 4


class Feeder:
    """A pool of inputs, stirred before each call.

    Parameters
    ----------
    problem : Problem
    size : int
    secret : random.Random, optional
        Where the seeds come from; the operating system's entropy unless a test says otherwise.
    """

    def __init__(self, problem: Problem, size: int, secret: random.Random | None = None):
        self.problem, self.size = problem, size
        self.secret = secret or random.SystemRandom()
        self.quick = random.Random(self.secret.getrandbits(64))
        first = self.fresh()
        weight = sum(v.nbytes for v in first if isinstance(v, np.ndarray)) or 1
        count = max(1, min(MEMBERS, POOL_BYTES // weight))
        self.pool = [first, *(self.fresh() for _ in range(count - 1))]

    def fresh(self) -> tuple[Any, ...]:
        """Return inputs that were never seen before."""
        return self.problem.inputs(self.size, self.secret.getrandbits(31))

    def keep(self, made: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put new inputs in the place of one member of the pool, and return them."""
        self.pool[self.quick.randrange(len(self.pool))] = made
        return made

    def next(self) -> tuple[Any, ...]:
        """Return one member of the pool, a little changed."""
        chosen = self.pool[self.quick.randrange(len(self.pool))]
        for value in chosen:
            if isinstance(value, np.ndarray) and value.size and value.dtype.kind == "f":
                flat = value.reshape(-1)
                # Towards zero and never across it: signs, bounds and the order of size survive.
                flat[self.quick.randrange(flat.size)] *= self.quick.uniform(0.75, 1.0)
        return chosen
