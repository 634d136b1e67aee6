"""Sum each run of 32 elements: exactly what one warp can do for itself. Whole eighths: exact."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 17, size).astype(np.float32) / 8,)


def _reference(x):
    return np.add.reduceat(x, np.arange(0, x.size, 32))


def _torch_module():
    import torch

    class WarpSum(torch.nn.Module):
        def forward(self, x):
            padded = torch.nn.functional.pad(x, (0, -x.shape[0] % 32))
            return padded.reshape(-1, 32).sum(dim=1)

    return WarpSum()


problem = Problem(
    name="warp_sum",
    summary="out[w] = x[32 w] + ... + x[32 w + 31], as far as x goes",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x: (poisoned((x.size + 31) // 32, x.dtype),),
    bytes_moved=lambda size: 4 * (size + (size + 31) // 32),
    operations=lambda size: size,
    size=1_000_000,
    test_sizes=(1, 31, 33, 1000),
    torch_module=_torch_module,
)
