"""Multiply two matrices of 8-bit integers into 32-bit sums: exact, so nothing may differ."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    a, b = np.random.default_rng(seed).integers(-128, 128, (2, size, size), dtype=np.int8)
    return a, b


def _torch_module():
    import torch

    class MatmulInt8(torch.nn.Module):
        def forward(self, a, b):
            return a.int() @ b.int()

    return MatmulInt8()


problem = Problem(
    name="matmul_int8",
    summary="out = a @ b, int8 times int8 summed in int32, for square matrices",
    inputs=_inputs,
    reference=lambda a, b: a.astype(np.int32) @ b.astype(np.int32),
    outputs=lambda a, b: (poisoned((a.shape[0], b.shape[1]), np.int32),),
    bytes_moved=lambda size: (1 + 1 + 4) * size * size,
    operations=lambda size: 2 * size**3,
    size=256,
    size_means="rows and columns",
    test_sizes=(1, 15, 33, 70),
    torch_module=_torch_module,
)
