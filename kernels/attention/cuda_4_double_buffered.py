"""Flash attention with two tiles of keys and values: the next arrive while these are used.

Idea: a block loads the tile after this one before it computes on this one, into the other buffer,
so that the loads have a whole step to arrive and one barrier of three is gone. What binds it:
shared memory loads, as before; latency is hidden. Look at: shared memory, 25 KiB instead of 17,
and what that does to occupancy; take the last barrier out and see which two threads collide.

Source: T. Dao, "FlashAttention-2: faster attention with better parallelism and work partitioning",
2023, arXiv:2307.08691; the overlap of loads and arithmetic is that of its pipelines.
"""

import math

import numpy as np

from workbench import cuda

TILE = 32  # queries of a block, and keys of a tile
WIDTH = 32
PARTS = 4  # threads for each query
EACH = WIDTH // PARTS
PADDED = WIDTH + 1
SCALE = np.float32(1 / math.sqrt(WIDTH))
LOWEST = np.float32(-3.0e38)


@cuda.jit
def attention_double_buffered(q, k, v, out):
    q_tile = cuda.shared.array((TILE, PADDED), np.float32)
    k_tile = cuda.shared.array((2, TILE, PADDED), np.float32)
    v_tile = cuda.shared.array((2, TILE, PADDED), np.float32)
    scores = cuda.shared.array((TILE, PADDED), np.float32)
    sums = cuda.local.array(EACH, np.float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    first_query, head, tokens = cuda.blockIdx.x * TILE, cuda.blockIdx.y, k.shape[1]
    for part in range(EACH):
        row = y + part * PARTS
        here = first_query + row < tokens
        q_tile[row, x] = q[head, first_query + row, x] if here else np.float32(0)
        k_tile[0, row, x] = k[head, row, x] if row < tokens else np.float32(0)
        v_tile[0, row, x] = v[head, row, x] if row < tokens else np.float32(0)
        sums[part] = np.float32(0)
    largest, total = LOWEST, np.float32(0)
    current = 0
    cuda.syncthreads()
    for first_key in range(0, tokens, TILE):
        following, other = first_key + TILE, 1 - current
        if following < tokens:
            for part in range(EACH):
                row = y + part * PARTS
                here = following + row < tokens
                k_tile[other, row, x] = k[head, following + row, x] if here else np.float32(0)
                v_tile[other, row, x] = v[head, following + row, x] if here else np.float32(0)
        for part in range(EACH):
            key = y + part * PARTS
            score = np.float32(0)
            for d in range(WIDTH):
                score += q_tile[x, d] * k_tile[current, key, d]
            scores[x, key] = score * SCALE
        cuda.syncthreads()
        keys = min(TILE, tokens - first_key)
        higher = largest
        for key in range(keys):
            higher = max(higher, scores[x, key])
        shrink = math.exp(largest - higher)
        total *= shrink
        for d in range(EACH):
            sums[d] *= shrink
        for key in range(keys):
            weight = math.exp(scores[x, key] - higher)
            total += weight
            for d in range(EACH):
                sums[d] += weight * v_tile[current, key, y * EACH + d]
        largest = higher
        current = other
        cuda.syncthreads()
    if first_query + x < out.shape[1]:
        for d in range(EACH):
            out[head, first_query + x, y * EACH + d] = sums[d] / total


def launch(q, k, v, out):
    heads, tokens, _ = q.shape
    blocks = ((tokens + TILE - 1) // TILE, heads)
    attention_double_buffered[blocks, (TILE, PARTS)](q, k, v, out)
