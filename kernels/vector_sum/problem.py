"""Sum a vector: the smallest problem in which threads must cooperate.

The inputs are whole eighths, exact in float32 in any order (below a million or so): a lost element
cannot hide behind a tolerance.
"""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    return (rng.integers(-16, 17, size).astype(np.float32) / 8,)


def _torch_module():
    import torch

    class VectorSum(torch.nn.Module):
        def forward(self, x):
            return x.sum(dim=0, keepdim=True)

    return VectorSum()


problem = Problem(
    name="vector_sum",
    summary="out[0] = sum of x[i]",
    inputs=_inputs,
    reference=lambda x: x.sum(keepdims=True),
    outputs=lambda x: (poisoned(1, x.dtype),),
    bytes_moved=lambda size: 4 * (size + 1),
    operations=lambda size: size - 1,
    size=1_000_000,
    test_sizes=(1, 1023, 1024, 1025, 2500),
    torch_module=_torch_module,
)
