"""Sum each row of a matrix. Whole eighths, as in `dot`: exact in any order."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 17, (size, 2 * size + 1)).astype(np.float32) / 8,)


def _torch_module():
    import torch

    class AxisSum(torch.nn.Module):
        def forward(self, x):
            return x.sum(dim=1)

    return AxisSum()


problem = Problem(
    name="axis_sum",
    summary="out[i] = sum over j of x[i, j]",
    inputs=_inputs,
    reference=lambda x: x.sum(axis=1),
    outputs=lambda x: (poisoned(x.shape[0], x.dtype),),
    bytes_moved=lambda size: 4 * size * (2 * size + 2),
    operations=lambda size: 2 * size * size,
    size=700,
    size_means="rows; columns are twice as many and one",
    test_sizes=(1, 15, 33, 150),
    torch_module=_torch_module,
)
