"""Count how often each value occurs. The values are skewed, as real ones are: some bins are hot."""

import numpy as np

from workbench.problem import Problem, poisoned

BINS = 256


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (np.clip(rng.normal(96, 24, size), 0, BINS - 1).astype(np.int32),)


def _torch_module():
    import torch

    class Histogram(torch.nn.Module):
        def forward(self, values):
            counts = torch.zeros(BINS, dtype=torch.int32)
            return counts.scatter_add(0, values.long(), torch.ones_like(values))

    return Histogram()


problem = Problem(
    name="histogram",
    summary=f"out[b] = how many of the values equal b, for {BINS} bins",
    inputs=_inputs,
    reference=lambda values: np.bincount(values, minlength=BINS).astype(np.int32),
    outputs=lambda values: (poisoned(BINS, np.int32),),
    bytes_moved=lambda size: 4 * (size + BINS),
    operations=lambda size: size,
    size=1_000_000,
    test_sizes=(1, 33, 1000, 5001),
    torch_module=_torch_module,
)
