"""The dot product of two vectors.

The inputs are whole eighths: their products and partial sums are exact in float32 in any order, so
an element that was lost or counted twice cannot hide behind a tolerance.
"""

import numpy as np

from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-16, 17, (2, size)).astype(np.float32) / 8
    return a, b


def _torch_module():
    import torch

    class Dot(torch.nn.Module):
        def forward(self, a, b):
            return (a * b).sum(dim=0, keepdim=True)

    return Dot()


problem = Problem(
    name="dot",
    summary="out[0] = sum of a[i] * b[i]",
    inputs=_inputs,
    reference=lambda a, b: (a * b).sum(keepdims=True),
    outputs=lambda a, b: (poisoned(1, a.dtype),),
    bytes_moved=lambda size: 4 * (2 * size + 1),
    operations=lambda size: 2 * size - 1,
    size=1_000_000,
    test_sizes=(1, 31, 257, 1000),
    torch_module=_torch_module,
)
