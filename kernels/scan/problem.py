"""The inclusive prefix sum of a vector. Whole eighths, as in `vector_sum`: exact in any order."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 17, size).astype(np.float32) / 8,)


def _torch_module():
    import torch

    class Scan(torch.nn.Module):
        def forward(self, x):
            return torch.cumsum(x, dim=0)

    return Scan()


problem = Problem(
    name="scan",
    summary="out[i] = x[0] + ... + x[i]",
    inputs=_inputs,
    reference=np.cumsum,
    outputs=lambda x: (poisoned(x.shape, x.dtype),),
    bytes_moved=lambda size: 2 * 4 * size,
    operations=lambda size: size - 1,
    size=1_000_000,
    test_sizes=(1, 255, 257, 1000),
    torch_module=_torch_module,
)
