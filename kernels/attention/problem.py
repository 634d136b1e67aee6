"""Scaled dot-product attention of two heads, each of 32 numbers a token.

Source: A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.1.
"""

import numpy as np

from workbench.problem import Problem, Tolerance, poisoned

HEADS, WIDTH = 2, 32


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    q, k, v = rng.standard_normal((3, HEADS, size, WIDTH), dtype=np.float32)
    return q, k, v


def _reference(q, k, v):
    scores = q @ k.transpose(0, 2, 1) / q.dtype.type(np.sqrt(WIDTH))
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ v


def _torch_module():
    import torch

    class Attention(torch.nn.Module):
        def forward(self, q, k, v):
            return torch.nn.functional.scaled_dot_product_attention(q[None], k[None], v[None])[0]

    return Attention()


problem = Problem(
    name="attention",
    summary="out = softmax(q kᵀ / sqrt(32)) v, for each of two heads",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda q, k, v: (poisoned(q.shape),),
    bytes_moved=lambda size: 4 * 4 * HEADS * size * WIDTH,
    # two products, and five operations for each score in the softmax
    operations=lambda size: HEADS * size * size * (4 * WIDTH + 5),
    size=512,
    size_means="tokens",
    test_sizes=(1, 17, 33, 70),
    # averages of standard normals pass near zero; their error does not: 512 * 2^-24 of the largest
    tolerance={"float32": Tolerance(1e-4, 5e-5)},
    torch_module=_torch_module,
)
