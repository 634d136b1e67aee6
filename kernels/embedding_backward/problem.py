"""The gradient of an embedding: add each token's gradient to its row of the table.

Frequent tokens are many (Zipf's law), so many gradients meet in a few rows. Gradients are whole
eighths, exact in any order.
"""

import numpy as np

from workbench.kernels.embedding.problem import VOCABULARY, WIDTH
from workbench.problem import Problem, poisoned


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    tokens = np.minimum(rng.zipf(1.3, size) - 1, VOCABULARY - 1).astype(np.int64)
    return rng.integers(-16, 17, (size, WIDTH)).astype(np.float32) / 8, tokens


def _reference(gradient, tokens):
    out = np.zeros((VOCABULARY, gradient.shape[1]), gradient.dtype)
    np.add.at(out, tokens, gradient)
    return out


def _torch_module():
    import torch

    class EmbeddingBackward(torch.nn.Module):
        def forward(self, gradient, tokens):
            table = torch.zeros(VOCABULARY, gradient.shape[1], dtype=gradient.dtype)
            return table.index_add(0, tokens, gradient)

    return EmbeddingBackward()


problem = Problem(
    name="embedding_backward",
    summary="out[v] = sum of gradient[i] over the tokens i that equal v",
    inputs=_inputs,
    reference=_reference,
    outputs=lambda gradient, tokens: (poisoned((VOCABULARY, WIDTH)),),
    bytes_moved=lambda size: 4 * WIDTH * (size + VOCABULARY) + 8 * size,
    operations=lambda size: WIDTH * size,
    size=8192,
    size_means="tokens",
    test_sizes=(1, 7, 33, 129),
    torch_module=_torch_module,
)
