"""Softmax of each row: exponentials that must not overflow, and a sum that must be one."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    # a spread of 20 and an offset: without subtracting the maximum, float32 overflows at 88
    x = 20 * rng.standard_normal((size, 2 * size + 1), dtype=np.float32) + 60
    return (x.astype(np.float32),)


def _reference(x):
    exponentials = np.exp(x - x.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _torch_module():
    import torch

    return torch.nn.Softmax(dim=1)


problem = Problem(
    name="softmax",
    summary="out[i, j] = exp(x[i, j] - max) / sum of the same over the row i",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x: (poisoned(x.shape),),
    bytes_moved=lambda size: 2 * 4 * size * (2 * size + 1),
    # maximum, subtraction, exponential, sum, division: one each
    operations=lambda size: 5 * size * (2 * size + 1),
    size=512,
    size_means="rows; columns are twice as many and one",
    test_sizes=(1, 15, 33, 150),
    torch_module=_torch_module,
)
