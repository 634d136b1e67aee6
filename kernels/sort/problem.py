"""Sort a vector, ascending."""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    return (np.random.default_rng(seed).standard_normal(size, dtype=np.float32),)


def _torch_module():
    import torch

    class Sort(torch.nn.Module):
        def forward(self, x):
            return torch.sort(x).values

    return Sort()


problem = Problem(
    name="sort",
    summary="out = x in ascending order",
    inputs=_inputs,
    reference=np.sort,
    outputs=lambda x: (poisoned(x.shape),),
    bytes_moved=lambda size: 2 * 4 * size,
    # comparisons of the best algorithms that compare, n log2 n
    operations=lambda size: int(size * np.log2(max(size, 2))),
    size=100_000,
    test_sizes=(1, 33, 1023, 1500),
    torch_module=_torch_module,
)
