"""Add two vectors: a map over two inputs (a zip)."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal(size, dtype=np.float32),
        rng.standard_normal(size, dtype=np.float32),
    )


def _torch_module():
    import torch

    class VectorAdd(torch.nn.Module):
        def forward(self, a, b):
            return a + b

    return VectorAdd()


problem = Problem(
    name="vector_add",
    summary="out[i] = a[i] + b[i]",
    inputs=_inputs,
    reference=lambda a, b: a + b,
    outputs=lambda a, b: (poisoned(a.shape),),
    bytes_moved=lambda size: 3 * 4 * size,
    operations=lambda size: size,
    size=1_000_000,
    test_sizes=(1, 1023, 1024, 1025, 2500),
    torch_module=_torch_module,
)
