"""Layer normalisation: each row to mean 0 and variance 1, then scaled and shifted."""

import numpy as np

from workbench.problem import Problem, poisoned

EPSILON = 1e-5
"""What PyTorch adds to the variance by default (`torch.nn.LayerNorm`)."""


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    cols = 2 * size + 1
    x = rng.standard_normal((size, cols), dtype=np.float32) * np.float32(3) + np.float32(5)
    weight, bias = rng.standard_normal((2, cols), dtype=np.float32)
    return x, weight, bias


def _reference(x, weight, bias):
    centred = x - x.mean(axis=1, keepdims=True)
    variance = (centred**2).mean(axis=1, keepdims=True)
    return centred / np.sqrt(variance + x.dtype.type(EPSILON)) * weight + bias


def _torch_module():
    import torch

    class LayerNorm(torch.nn.Module):
        def forward(self, x, weight, bias):
            return torch.nn.functional.layer_norm(x, (x.shape[1],), weight, bias, EPSILON)

    return LayerNorm()


problem = Problem(
    name="layer_norm",
    summary="out = (x - mean) / sqrt(variance + 1e-5) * weight + bias, row by row",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x, weight, bias: (poisoned(x.shape),),
    bytes_moved=lambda size: 4 * (2 * size + 2) * (2 * size + 1),
    # mean 1, variance 3, normalise 2, scale and shift 2
    operations=lambda size: 8 * size * (2 * size + 1),
    size=512,
    size_means="rows; columns are twice as many and one",
    test_sizes=(1, 15, 33, 150),
    torch_module=_torch_module,
)
