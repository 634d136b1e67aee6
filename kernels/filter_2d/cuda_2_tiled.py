"""A 5 x 5 filter from a tile in shared memory, with a halo of two pixels all around.

Idea: the block loads 20 x 20 pixels for its 16 x 16 outputs; more pixels than threads, so each
thread loads until the tile is full. What binds it: shared loads. Look at: the corners of the halo,
which belong to a fourth block and are the first to be forgotten.
"""

import numpy as np

from workbench import cuda

BLOCK = 16
RADIUS = 2
WIDTH = 2 * RADIUS + 1
TILE = BLOCK + 2 * RADIUS


@cuda.jit
def filter_tiled(image, weights, out):
    tile = cuda.shared.array((TILE, TILE), np.float32)
    col, row = cuda.grid(2)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    for down in range(ty, TILE, BLOCK):
        y = cuda.blockIdx.y * BLOCK + down - RADIUS
        for right in range(tx, TILE, BLOCK):
            x = cuda.blockIdx.x * BLOCK + right - RADIUS
            inside = y >= 0 and y < image.shape[0] and x >= 0 and x < image.shape[1]
            tile[down, right] = image[y, x] if inside else np.float32(0)
    cuda.syncthreads()
    if row < out.shape[0] and col < out.shape[1]:
        total = np.float32(0)
        for down in range(WIDTH):
            for right in range(WIDTH):
                total += tile[ty + down, tx + right] * weights[down, right]
        out[row, col] = total


def launch(image, weights, out):
    rows, cols = out.shape
    blocks = ((cols + BLOCK - 1) // BLOCK, (rows + BLOCK - 1) // BLOCK)
    filter_tiled[blocks, (BLOCK, BLOCK)](image, weights, out)
