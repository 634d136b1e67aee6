"""Correlate a signal with a short filter; beyond the end the signal is zero."""

import numpy as np

from workbench.problem import Problem, poisoned

WIDTH = 9


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal(size, dtype=np.float32),
        rng.standard_normal(WIDTH, dtype=np.float32),
    )


def _reference(x, weights):
    padded = np.concatenate([x, np.zeros(WIDTH - 1, x.dtype)])
    return np.lib.stride_tricks.sliding_window_view(padded, WIDTH) @ weights


def _torch_module():
    import torch

    class Conv1d(torch.nn.Module):
        def forward(self, x, weights):
            padded = torch.nn.functional.pad(x, (0, WIDTH - 1))[None, None]
            return torch.nn.functional.conv1d(padded, weights[None, None])[0, 0]

    return Conv1d()


problem = Problem(
    name="conv1d",
    summary=f"out[i] = sum over k < {WIDTH} of x[i + k] * weights[k]",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x, weights: (poisoned(x.shape),),
    bytes_moved=lambda size: 4 * (2 * size + WIDTH),
    operations=lambda size: 2 * WIDTH * size,
    size=1_000_000,
    test_sizes=(1, 9, 257, 1000),
    torch_module=_torch_module,
)
