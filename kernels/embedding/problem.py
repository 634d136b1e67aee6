"""Look up the row of a table for each token: a gather."""

import numpy as np

from workbench.problem import Problem, poisoned

VOCABULARY, WIDTH = 500, 96


def _inputs(size, seed):
    rng = np.random.default_rng(seed)
    tokens = np.minimum(rng.zipf(1.3, size) - 1, VOCABULARY - 1).astype(np.int64)
    return rng.standard_normal((VOCABULARY, WIDTH), dtype=np.float32), tokens


def _torch_module():
    import torch

    class Embedding(torch.nn.Module):
        def forward(self, table, tokens):
            return torch.nn.functional.embedding(tokens, table)

    return Embedding()


problem = Problem(
    name="embedding",
    summary=f"out[i] = table[tokens[i]], rows of {WIDTH} numbers",
    inputs=_inputs,
    reference=lambda table, tokens: table[tokens],
    outputs=lambda table, tokens: (poisoned((tokens.size, table.shape[1])),),
    # at most one reading of the table, or of as many rows as there are tokens
    bytes_moved=lambda size: 4 * WIDTH * min(size, VOCABULARY) + 8 * size + 4 * WIDTH * size,
    operations=lambda size: 0,
    size=8192,
    size_means="tokens",
    test_sizes=(1, 7, 33, 129),
    torch_module=_torch_module,
)
