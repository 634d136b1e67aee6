"""Add one number to every element: the smallest map there is."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return np.float32(rng.uniform(1.0, 10.0)), rng.standard_normal(size, dtype=np.float32)


def _torch_module():
    import torch

    class AddScalar(torch.nn.Module):
        def forward(self, s, a):
            return a + s

    return AddScalar()


problem = Problem(
    name="add_scalar",
    summary="out[i] = a[i] + s",
    inputs=_inputs,
    reference=lambda s, a: a + s,
    outputs=lambda s, a: (poisoned(a.shape),),
    bytes_moved=lambda size: 2 * 4 * size,
    operations=lambda size: size,
    size=1_000_000,
    torch_module=_torch_module,
)
