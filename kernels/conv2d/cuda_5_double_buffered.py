"""The implicit matrix product with two buffers: the next tiles arrive while these are used.

Idea: two of each tile, so that a block finds the windows of the next step (divisions and all)
while it multiplies on this one, and one barrier a step is enough. What binds it: the same shared
loads, but latency and address arithmetic are hidden behind them. Look at: shared memory has
doubled, occupancy has not changed; time modelled against the implicit GEMM.
"""

import numpy as np

from workbench import cuda

TILE = 16
STRIDE, PADDING = 4, 2


@cuda.jit(device=True)
def weight_value(weights, f, k, width):
    """Return element k of a filter as a row; 0 outside the matrix."""
    c, rest = k // (width * width), k % (width * width)
    if f < weights.shape[0] and c < weights.shape[1]:
        return weights[f, c, rest // width, rest % width]
    return np.float32(0)


@cuda.jit(device=True)
def window_value(image, k, pixel, pixels, out_cols, width):
    """Return element k of the window of an output pixel; 0 in the padding and outside."""
    c, rest = k // (width * width), k % (width * width)
    y = pixel // out_cols * STRIDE - PADDING + rest // width
    x = pixel % out_cols * STRIDE - PADDING + rest % width
    inside = y >= 0 and y < image.shape[1] and x >= 0 and x < image.shape[2]
    if inside and c < image.shape[0] and pixel < pixels:
        return image[c, y, x]
    return np.float32(0)


@cuda.jit
def conv2d_double_buffered(image, weights, bias, out):
    weight_tile = cuda.shared.array((2, TILE, TILE), np.float32)
    window_tile = cuda.shared.array((2, TILE, TILE), np.float32)
    pixel, f = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    width, out_cols = weights.shape[3], out.shape[2]
    inner = weights.shape[1] * width * width
    pixels = out.shape[1] * out_cols
    weight_tile[0, y, x] = weight_value(weights, f, x, width)
    window_tile[0, y, x] = window_value(image, y, pixel, pixels, out_cols, width)
    cuda.syncthreads()
    total = np.float32(0)
    current = 0
    for start in range(0, inner, TILE):
        following, other = start + TILE, 1 - current
        if following < inner:
            k = following + y
            weight_tile[other, y, x] = weight_value(weights, f, following + x, width)
            window_tile[other, y, x] = window_value(image, k, pixel, pixels, out_cols, width)
        for k in range(TILE):
            total += weight_tile[current, y, k] * window_tile[current, k, x]
        cuda.syncthreads()
        current = other
    if f < out.shape[0] and pixel < pixels:
        out[f, pixel // out_cols, pixel % out_cols] = total + bias[f]


def launch(image, weights, bias, out):
    pixels = out.shape[1] * out.shape[2]
    blocks = ((pixels + TILE - 1) // TILE, (out.shape[0] + TILE - 1) // TILE)
    conv2d_double_buffered[blocks, (TILE, TILE)](image, weights, bias, out)
