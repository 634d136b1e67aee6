"""Add one number to every element of a matrix: a map in two dimensions.

The matrix is not square, so that a kernel which mixes up rows and columns is found.
"""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((size, size + 3), dtype=np.float32)
    return np.float32(rng.uniform(1.0, 10.0)), a


def _torch_module():
    import torch

    class AddScalar(torch.nn.Module):
        def forward(self, s, a):
            return a + s

    return AddScalar()


problem = Problem(
    name="add_scalar_2d",
    summary="out[i, j] = a[i, j] + s",
    inputs=_inputs,
    reference=lambda s, a: a + s,
    outputs=lambda s, a: (poisoned(a.shape),),
    bytes_moved=lambda size: 2 * 4 * size * (size + 3),
    operations=lambda size: size * (size + 3),
    size=1_000,
    size_means="rows; three columns more",
    test_sizes=(1, 15, 33, 70),
    torch_module=_torch_module,
)
