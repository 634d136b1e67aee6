"""Matrix product in which each thread keeps a 4 x 4 tile of results in registers.

Idea: eight loads from shared memory feed 16 multiply-adds, where the tiled kernel needs two for
each one. The 16 sums live in a local array whose indices are known at compile time, so that it
becomes registers. What binds it: arithmetic, nearly. Look at: registers per thread and what they
do to occupancy; flops per byte of shared memory.
"""

import numpy as np

from workbench import cuda

TILE = 64  # rows and columns of the result for each block
DEPTH = 16  # columns of a, rows of b, at each step
EACH = 4  # rows and columns of the result for each thread
SIDE = TILE // EACH
PADDED = TILE + 1


@cuda.jit
def matmul_register_tiled(a, b, out):
    a_tile = cuda.shared.array((DEPTH, PADDED), np.float32)
    b_tile = cuda.shared.array((DEPTH, TILE), np.float32)
    sums = cuda.local.array((EACH, EACH), np.float32)
    a_part = cuda.local.array(EACH, np.float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    first_row, first_col = cuda.blockIdx.y * TILE, cuda.blockIdx.x * TILE
    inner = a.shape[1]
    for i in range(EACH):
        for j in range(EACH):
            sums[i, j] = np.float32(0)
    for start in range(0, inner, DEPTH):
        for part in range(EACH):
            row, k = first_row + y + part * SIDE, start + x
            inside = row < a.shape[0] and k < inner
            a_tile[x, y + part * SIDE] = a[row, k] if inside else np.float32(0)
            col, k = first_col + x + part * SIDE, start + y
            inside = k < inner and col < b.shape[1]
            b_tile[y, x + part * SIDE] = b[k, col] if inside else np.float32(0)
        cuda.syncthreads()
        for k in range(DEPTH):
            for i in range(EACH):
                a_part[i] = a_tile[k, y + i * SIDE]
            for j in range(EACH):
                b_value = b_tile[k, x + j * SIDE]
                for i in range(EACH):
                    sums[i, j] += a_part[i] * b_value
        cuda.syncthreads()
    for i in range(EACH):
        row = first_row + y + i * SIDE
        for j in range(EACH):
            col = first_col + x + j * SIDE
            if row < out.shape[0] and col < out.shape[1]:
                out[row, col] = sums[i, j]


def launch(a, b, out):
    rows, cols = out.shape
    blocks = ((cols + TILE - 1) // TILE, (rows + TILE - 1) // TILE)
    matmul_register_tiled[blocks, (SIDE, SIDE)](a, b, out)
