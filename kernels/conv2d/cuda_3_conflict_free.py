"""AlexNet's first convolution from a tile whose columns are sorted by their place in the stride.

Idea: lanes stand 4 columns apart, so columns 0, 4, 8, ... are put side by side, then 1, 5, 9, ...,
and neighbouring lanes read neighbouring banks. Rows of lanes are 4 rows of the tile apart: with 42
floats a row they begin 8 banks apart (4 x 42 is 8 more than a multiple of 32), so the four rows
of a warp fill the 32 banks exactly. What binds it: shared memory loads, now without conflicts.
Look at: 1-way on the line that computes, where the plain tile is 4-way; no width of the plain tile
can do that, because 4 times any width is a multiple of 4.
"""

import numpy as np

from workbench import cuda

BLOCK = 8
WIDTH, STRIDE, PADDING = 11, 4, 2
TILE = (BLOCK - 1) * STRIDE + WIDTH
GROUP = (TILE + STRIDE - 1) // STRIDE  # columns that share a place in the stride
ROW = STRIDE * GROUP + 2


@cuda.jit
def conv2d_conflict_free(image, weights, bias, out):
    tile = cuda.shared.array((TILE, ROW), np.float32)
    taps = cuda.shared.array((WIDTH, WIDTH), np.float32)
    col, row, f = cuda.grid(3)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    first_x = cuda.blockIdx.x * BLOCK * STRIDE - PADDING
    first_y = cuda.blockIdx.y * BLOCK * STRIDE - PADDING
    total = bias[f]
    for c in range(weights.shape[1]):
        for down in range(ty, TILE, BLOCK):
            y = first_y + down
            for right in range(tx, TILE, BLOCK):
                x = first_x + right
                inside = y >= 0 and y < image.shape[1] and x >= 0 and x < image.shape[2]
                place = right % STRIDE * GROUP + right // STRIDE
                tile[down, place] = image[c, y, x] if inside else np.float32(0)
        for down in range(ty, WIDTH, BLOCK):
            for right in range(tx, WIDTH, BLOCK):
                taps[down, right] = weights[f, c, down, right]
        cuda.syncthreads()
        for down in range(WIDTH):
            for right in range(WIDTH):
                place = right % STRIDE * GROUP + right // STRIDE + tx
                total += tile[ty * STRIDE + down, place] * taps[down, right]
        cuda.syncthreads()
    if row < out.shape[1] and col < out.shape[2]:
        out[f, row, col] = total


def launch(image, weights, bias, out):
    filters, rows, cols = out.shape
    blocks = ((cols + BLOCK - 1) // BLOCK, (rows + BLOCK - 1) // BLOCK, filters)
    conv2d_conflict_free[blocks, (BLOCK, BLOCK)](image, weights, bias, out)
