"""saxpy: out = a * x + y."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(size, dtype=np.float32)
    y = rng.standard_normal(size, dtype=np.float32)
    return np.float32(rng.uniform(0.5, 2.0)), x, y


def _torch_module():
    import torch

    class Saxpy(torch.nn.Module):
        def forward(self, a, x, y):
            return a * x + y

    return Saxpy()


problem = Problem(
    name="saxpy",
    summary="out[i] = a * x[i] + y[i]",
    inputs=_inputs,
    reference=lambda a, x, y: a * x + y,
    outputs=lambda a, x, y: (poisoned(x.shape),),
    bytes_moved=lambda size: 3 * 4 * size,
    operations=lambda size: 2 * size,
    size=1_000_000,
    torch_module=_torch_module,
)
