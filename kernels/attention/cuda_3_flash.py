"""Attention the flash way: tiles of keys and values in shared memory, online softmax across them.

Idea: 32 queries share each tile of 32 keys and values, so these cross the memory bus once for 32
queries; four threads of each query split its 32 numbers. The scores of a tile live in shared
memory and die there. What binds it: shared memory loads. Look at: global bytes against the online
kernel; the barrier before the next tile is loaded; the padding that keeps a column of keys out of
one bank.

Source: T. Dao et al., "FlashAttention", NeurIPS 2022, arXiv:2205.14135, algorithm 1.
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


@cuda.jit(device=True)
def load_tile(tile, source, head, first, x, y):
    for part in range(EACH):
        row = y + part * PARTS
        inside = first + row < source.shape[1]
        tile[row, x] = source[head, first + row, x] if inside else np.float32(0)


@cuda.jit
def attention_flash(q, k, v, out):
    q_tile = cuda.shared.array((TILE, PADDED), np.float32)
    k_tile = cuda.shared.array((TILE, PADDED), np.float32)
    v_tile = cuda.shared.array((TILE, PADDED), np.float32)
    scores = cuda.shared.array((TILE, PADDED), np.float32)
    sums = cuda.local.array(EACH, np.float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    first_query, head = cuda.blockIdx.x * TILE, cuda.blockIdx.y
    load_tile(q_tile, q, head, first_query, x, y)
    for d in range(EACH):
        sums[d] = np.float32(0)
    largest, total = LOWEST, np.float32(0)
    for first_key in range(0, k.shape[1], TILE):
        load_tile(k_tile, k, head, first_key, x, y)
        load_tile(v_tile, v, head, first_key, x, y)
        cuda.syncthreads()
        keys = min(TILE, k.shape[1] - first_key)
        for part in range(EACH):
            key = y + part * PARTS
            score = np.float32(0)
            for d in range(WIDTH):
                score += q_tile[x, d] * k_tile[key, d]
            scores[x, key] = score * SCALE
        cuda.syncthreads()
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
                sums[d] += weight * v_tile[key, y * EACH + d]
        largest = higher
        cuda.syncthreads()
    if first_query + x < out.shape[1]:
        for d in range(EACH):
            out[head, first_query + x, y * EACH + d] = sums[d] / total


def launch(q, k, v, out):
    heads, tokens, _ = q.shape
    blocks = ((tokens + TILE - 1) // TILE, heads)
    attention_flash[blocks, (TILE, PARTS)](q, k, v, out)
