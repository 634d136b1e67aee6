"""Prefix sums within each run of 32 elements: the scan of one warp. Whole eighths: exact."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 17, size).astype(np.float32) / 8,)


def _reference(x):
    padded = np.concatenate([x, np.zeros(-x.size % 32, x.dtype)])
    return np.cumsum(padded.reshape(-1, 32), axis=1).ravel()[: x.size]


def _torch_module():
    import torch

    class WarpScan(torch.nn.Module):
        def forward(self, x):
            padded = torch.nn.functional.pad(x, (0, -x.shape[0] % 32))
            return torch.cumsum(padded.reshape(-1, 32), dim=1).flatten()[: x.shape[0]]

    return WarpScan()


problem = Problem(
    name="warp_scan",
    summary="out[i] = x[32 (i // 32)] + ... + x[i]",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x: (poisoned(x.shape, x.dtype),),
    bytes_moved=lambda size: 2 * 4 * size,
    operations=lambda size: size,
    size=1_000_000,
    test_sizes=(1, 31, 33, 1000),
    torch_module=_torch_module,
)
