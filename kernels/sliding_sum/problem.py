"""Sum each element with its two predecessors: pooling with overlapping windows."""

import numpy as np

from workbench.problem import Problem, poisoned

WINDOW = 3


def _inputs(size, seed):
    return (np.random.default_rng(seed).standard_normal(size, dtype=np.float32),)


def _reference(x):
    padded = np.concatenate([np.zeros(WINDOW - 1, x.dtype), x])
    return np.lib.stride_tricks.sliding_window_view(padded, WINDOW).sum(axis=1)


def _torch_module():
    import torch

    class SlidingSum(torch.nn.Module):
        def forward(self, x):
            padded = torch.nn.functional.pad(x, (WINDOW - 1, 0))
            return padded[2:] + padded[1:-1] + padded[:-2]

    return SlidingSum()


problem = Problem(
    name="sliding_sum",
    summary="out[i] = x[i - 2] + x[i - 1] + x[i], where those exist",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x: (poisoned(x.shape),),
    bytes_moved=lambda size: 2 * 4 * size,
    operations=lambda size: (WINDOW - 1) * size,
    size=1_000_000,
    test_sizes=(1, 2, 257, 1000),
    torch_module=_torch_module,
)
