"""Transpose through a tile in shared memory: both global sides run along rows.

Idea: read a tile row by row, wait, write it row by row with the roles of x and y exchanged. The
walk down a column happens in shared memory, where there are no sectors. What binds it: bank
conflicts. A column of a tile 32 floats wide lies in one bank. Look at: 32-way conflicts on the
line that writes out.
"""

import numpy as np

from workbench import cuda

TILE = 32
ROWS = 8  # rows of threads; each thread moves TILE // ROWS elements


@cuda.jit
def transpose_tiled(x, out):
    tile = cuda.shared.array((TILE, TILE), np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    col, row = cuda.blockIdx.x * TILE + tx, cuda.blockIdx.y * TILE + ty
    for down in range(0, TILE, ROWS):
        if row + down < x.shape[0] and col < x.shape[1]:
            tile[ty + down, tx] = x[row + down, col]
    cuda.syncthreads()
    col, row = cuda.blockIdx.y * TILE + tx, cuda.blockIdx.x * TILE + ty
    for down in range(0, TILE, ROWS):
        if row + down < out.shape[0] and col < out.shape[1]:
            out[row + down, col] = tile[tx, ty + down]


def launch(x, out):
    rows, cols = x.shape
    blocks = ((cols + TILE - 1) // TILE, (rows + TILE - 1) // TILE)
    transpose_tiled[blocks, (TILE, ROWS)](x, out)
