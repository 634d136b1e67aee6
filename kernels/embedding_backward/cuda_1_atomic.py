"""Gradient of an embedding by atomic addition.

Idea: the scatter of what the forward pass gathered; several tokens may be the same, so additions
must be atomic. What binds it: the rows of frequent tokens. Look at: lanes of one warp add to
different columns, so they never queue for each other, only for other warps; and what plain
``+=`` loses.
"""

import numpy as np

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def clear(out):
    d, v = cuda.grid(2)
    if v < out.shape[0] and d < out.shape[1]:
        out[v, d] = np.float32(0)


@cuda.jit
def embedding_backward_atomic(gradient, tokens, out):
    d, i = cuda.grid(2)
    if i < gradient.shape[0] and d < gradient.shape[1]:
        cuda.atomic.add(out, (tokens[i], d), gradient[i, d])


def launch(gradient, tokens, out):
    count, width = gradient.shape
    across = (width + THREADS[0] - 1) // THREADS[0]
    clear[(across, (out.shape[0] + THREADS[1] - 1) // THREADS[1]), THREADS](out)
    blocks = (across, (count + THREADS[1] - 1) // THREADS[1])
    embedding_backward_atomic[blocks, THREADS](gradient, tokens, out)
