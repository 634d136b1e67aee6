"""Divide each row by the root of its mean square, the normalisation of most language models.

Source: B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.
"""

import numpy as np

from workbench.problem import Problem, poisoned

EPSILON = 1e-6


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    cols = 2 * size + 1
    x = rng.standard_normal((size, cols), dtype=np.float32) * np.float32(3)
    return x, rng.standard_normal(cols, dtype=np.float32)


def _reference(x, weight):
    mean_square = (x * x).mean(axis=1, keepdims=True)
    return x / np.sqrt(mean_square + x.dtype.type(EPSILON)) * weight


def _torch_module():
    import torch

    class RMSNorm(torch.nn.Module):
        def forward(self, x, weight):
            return x * torch.rsqrt((x * x).mean(dim=1, keepdim=True) + EPSILON) * weight

    return RMSNorm()


problem = Problem(
    name="rms_norm",
    summary="out = x / sqrt(mean of x squared + 1e-6) * weight, row by row",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x, weight: (poisoned(x.shape),),
    bytes_moved=lambda size: 4 * (2 * size + 1) * (2 * size + 1),
    operations=lambda size: 4 * size * (2 * size + 1),
    size=512,
    size_means="rows; columns are twice as many and one",
    test_sizes=(1, 15, 33, 150),
    torch_module=_torch_module,
)
