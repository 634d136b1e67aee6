"""Copy an array: the yardstick for every kernel that memory binds."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    return (np.random.default_rng(seed).standard_normal(size, dtype=np.float32),)


def _torch_module():
    import torch

    class Copy(torch.nn.Module):
        def forward(self, x):
            return x.clone()

    return Copy()


problem = Problem(
    name="copy",
    summary="out[i] = x[i]",
    inputs=_inputs,
    reference=lambda x: x.copy(),
    outputs=lambda x: (poisoned(x.shape),),
    bytes_moved=lambda size: 2 * 4 * size,
    operations=lambda size: 0,
    size=1_000_000,
    test_sizes=(1, 31, 33, 2001),
    torch_module=_torch_module,
)
