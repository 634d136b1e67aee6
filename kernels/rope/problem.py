"""Rotary position embedding: turn each pair of a token's numbers by an angle of its position.

Source: J. Su et al., "RoFormer: enhanced transformer with rotary position embedding", 2021,
arXiv:2104.09864, equation 34, with its base of 10,000.
"""

import numpy as np

from workbench.problem import Problem, poisoned

WIDTH = 64
BASE = 10_000.0


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, WIDTH), dtype=np.float32)
    frequencies = BASE ** (-np.arange(0, WIDTH, 2) / WIDTH)
    angles = np.arange(size)[:, None] * frequencies
    return x, np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def _reference(x, cos, sin):
    even, odd = x[:, 0::2], x[:, 1::2]
    return np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=2).reshape(x.shape)


def _torch_module():
    import torch

    class Rope(torch.nn.Module):
        def forward(self, x, cos, sin):
            even, odd = x[:, 0::2], x[:, 1::2]
            return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=2).flatten(1)

    return Rope()


problem = Problem(
    name="rope",
    summary="(out[i, 2j], out[i, 2j+1]) = (x[i, 2j], x[i, 2j+1]) turned by the angle i * f[j]",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda x, cos, sin: (poisoned(x.shape),),
    bytes_moved=lambda size: 3 * 4 * WIDTH * size,
    operations=lambda size: 3 * WIDTH * size,
    size=4096,
    size_means="tokens",
    test_sizes=(1, 7, 33, 129),
    torch_module=_torch_module,
)
