"""Transpose a matrix: no arithmetic at all, and hard to do well."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    return (np.random.default_rng(seed).standard_normal((size, size), dtype=np.float32),)


def _torch_module():
    import torch

    class Transpose(torch.nn.Module):
        def forward(self, x):
            return x.T.contiguous()

    return Transpose()


problem = Problem(
    name="transpose",
    summary="out[j, i] = x[i, j]",
    inputs=_inputs,
    reference=lambda x: np.ascontiguousarray(x.T),
    outputs=lambda x: (poisoned(x.shape[::-1]),),
    bytes_moved=lambda size: 2 * 4 * size * size,
    operations=lambda size: 0,
    size=1024,
    size_means="rows and columns",
    test_sizes=(1, 31, 33, 100),
    torch_module=_torch_module,
)
