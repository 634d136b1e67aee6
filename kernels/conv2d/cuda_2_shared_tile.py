"""AlexNet's first convolution from a tile of the image and the filter in shared memory.

Idea: 8 x 8 outputs look at 39 x 39 pixels of a channel; the block loads those once, with the
filter, and goes channel by channel. What binds it: shared memory loads. Look at: bank conflicts on
the tile. Lanes stand 4 floats apart, so the 32 lanes of a warp meet in 8 banks: 4-way. Would
another width of tile help?
"""

import numpy as np

from workbench import cuda

BLOCK = 8
WIDTH, STRIDE, PADDING = 11, 4, 2
TILE = (BLOCK - 1) * STRIDE + WIDTH


@cuda.jit
def conv2d_shared_tile(image, weights, bias, out):
    tile = cuda.shared.array((TILE, TILE), np.float32)
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
                tile[down, right] = image[c, y, x] if inside else np.float32(0)
        for down in range(ty, WIDTH, BLOCK):
            for right in range(tx, WIDTH, BLOCK):
                taps[down, right] = weights[f, c, down, right]
        cuda.syncthreads()
        for down in range(WIDTH):
            for right in range(WIDTH):
                total += tile[ty * STRIDE + down, tx * STRIDE + right] * taps[down, right]
        cuda.syncthreads()
    if row < out.shape[1] and col < out.shape[2]:
        out[f, row, col] = total


def launch(image, weights, bias, out):
    filters, rows, cols = out.shape
    blocks = ((cols + BLOCK - 1) // BLOCK, (rows + BLOCK - 1) // BLOCK, filters)
    conv2d_shared_tile[blocks, (BLOCK, BLOCK)](image, weights, bias, out)
