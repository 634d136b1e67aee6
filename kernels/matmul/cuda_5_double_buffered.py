"""Tiled matrix product with two buffers: the next tile is loaded while this one is used.

Idea: two of each tile. A block writes one pair while it computes on the other, so one barrier a
step is enough, and the loads have the whole step to arrive. What binds it: the same shared loads,
but latency is hidden. Look at: shared memory has doubled; take the barrier out and see which two
threads collide, one step apart.
"""

import numpy as np

from workbench import cuda

TILE = 16


@cuda.jit
def matmul_double_buffered(a, b, out):
    a_tile = cuda.shared.array((2, TILE, TILE), np.float32)
    b_tile = cuda.shared.array((2, TILE, TILE), np.float32)
    col, row = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    inner = a.shape[1]
    row_inside, col_inside = row < out.shape[0], col < out.shape[1]
    a_tile[0, y, x] = a[row, x] if row_inside and x < inner else np.float32(0)
    b_tile[0, y, x] = b[y, col] if y < inner and col_inside else np.float32(0)
    cuda.syncthreads()
    total = np.float32(0)
    current = 0
    for start in range(0, inner, TILE):
        following = start + TILE
        other = 1 - current
        if following < inner:
            inside = row_inside and following + x < inner
            a_tile[other, y, x] = a[row, following + x] if inside else np.float32(0)
            inside = following + y < inner and col_inside
            b_tile[other, y, x] = b[following + y, col] if inside else np.float32(0)
        for k in range(TILE):
            total += a_tile[current, y, k] * b_tile[current, k, x]
        cuda.syncthreads()
        current = other
    if row_inside and col_inside:
        out[row, col] = total


def launch(a, b, out):
    rows, cols = out.shape
    blocks = ((cols + TILE - 1) // TILE, (rows + TILE - 1) // TILE)
    matmul_double_buffered[blocks, (TILE, TILE)](a, b, out)
