"""Attention in one pass over the keys: one thread for each query, nothing written in between.

Idea: softmax can be computed as the keys stream by. The sum and the 32 accumulated values are
scaled down whenever a larger score turns up, so no score is stored. What binds it: loads of keys
and values, which each thread fetches for itself. Look at: bytes moved, now linear in the tokens;
the local arrays that stand for 64 registers a thread.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 64
WIDTH = 32
SCALE = np.float32(1 / math.sqrt(WIDTH))
LOWEST = np.float32(-3.0e38)


@cuda.jit
def attention_online(q, k, v, out):
    query, head = cuda.grid(2)
    own = cuda.local.array(WIDTH, np.float32)
    sums = cuda.local.array(WIDTH, np.float32)
    if query < q.shape[1]:
        for d in range(WIDTH):
            own[d] = q[head, query, d] * SCALE
            sums[d] = np.float32(0)
        largest, total = LOWEST, np.float32(0)
        for key in range(k.shape[1]):
            score = np.float32(0)
            for d in range(WIDTH):
                score += own[d] * k[head, key, d]
            higher = max(largest, score)
            shrink, weight = math.exp(largest - higher), math.exp(score - higher)
            total = total * shrink + weight
            for d in range(WIDTH):
                sums[d] = sums[d] * shrink + weight * v[head, key, d]
            largest = higher
        for d in range(WIDTH):
            out[head, query, d] = sums[d] / total


def launch(q, k, v, out):
    heads, tokens, _ = q.shape
    blocks = ((tokens + THREADS - 1) // THREADS, heads)
    attention_online[blocks, THREADS](q, k, v, out)
