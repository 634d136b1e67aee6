"""Transpose through a padded tile: one more column, and the conflicts are gone.

Idea: with 33 floats a row, the 32 elements of a column fall into 32 different banks. What binds
it: bandwidth, within a little of a copy. Look at: 1-way where the tile without padding was 32-way,
for 128 bytes of shared memory more.
"""

import numpy as np

from workbench import cuda

TILE = 32
PADDED = TILE + 1  # a shared shape is a plain name or number: Numba folds no sums there
ROWS = 8  # rows of threads; each thread moves TILE // ROWS elements


@cuda.jit
def transpose_padded(x, out):
    tile = cuda.shared.array((TILE, PADDED), np.float32)
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
    transpose_padded[blocks, (TILE, ROWS)](x, out)
