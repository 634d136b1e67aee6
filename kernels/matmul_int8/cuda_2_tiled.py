"""Integer matrix product through tiles of bytes in shared memory.

Idea: the tiled product; tiles take a quarter of the room, so they could be larger. What binds it:
shared loads. Look at: four neighbouring bytes share one bank's word, and lanes that read the same
word are served at once, so bytes make no conflicts here.
"""

import numpy as np

from workbench import cuda

TILE = 16


@cuda.jit
def matmul_int8_tiled(a, b, out):
    a_tile = cuda.shared.array((TILE, TILE), np.int8)
    b_tile = cuda.shared.array((TILE, TILE), np.int8)
    col, row = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    inner = a.shape[1]
    total = np.int32(0)
    for start in range(0, inner, TILE):
        inside = row < out.shape[0] and start + x < inner
        a_tile[y, x] = a[row, start + x] if inside else np.int8(0)
        inside = start + y < inner and col < out.shape[1]
        b_tile[y, x] = b[start + y, col] if inside else np.int8(0)
        cuda.syncthreads()
        for k in range(TILE):
            total += np.int32(a_tile[y, k]) * np.int32(b_tile[k, x])
        cuda.syncthreads()
    if row < out.shape[0] and col < out.shape[1]:
        out[row, col] = total


def launch(a, b, out):
    rows, cols = out.shape
    blocks = ((cols + TILE - 1) // TILE, (rows + TILE - 1) // TILE)
    matmul_int8_tiled[blocks, (TILE, TILE)](a, b, out)
