"""Multiply two matrices, the problem that accelerators are built for."""

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned


def _inputs(size, seed):
    a, b = np.random.default_rng(seed).standard_normal((2, size, size), dtype=np.float32)
    return a, b


def _torch_module():
    import torch

    class Matmul(torch.nn.Module):
        def forward(self, a, b):
            return a @ b

    return Matmul()


problem = Problem(
    name="matmul",
    summary="out = a @ b for square matrices",
    inputs=_inputs,
    reference=lambda a, b: a @ b,
    outputs=lambda a, b: (poisoned((a.shape[0], b.shape[1])),),
    bytes_moved=lambda size: 3 * 4 * size * size,
    operations=lambda size: 2 * size**3,
    size=512,
    size_means="rows and columns",
    test_sizes=(1, 15, 33, 70),
    # A sum of K products of standard normals errs by about K * 2^-24 * sqrt(K) at worst order,
    # however close to zero it happens to end: 7e-4 at K = 512 (Higham, section 3.1).
    tolerance={"float32": Tolerance(1e-4, 1e-3)},
    torch_module=_torch_module,
)
