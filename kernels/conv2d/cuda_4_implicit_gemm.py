"""AlexNet's first convolution as a matrix product whose second matrix is never written down.

Idea: weights as a matrix of 64 x 363, windows as one of 363 x pixels; the tiled product, with the
window's address worked out while loading. It is how the libraries do it, since whatever multiplies
matrices fast then convolves fast. What binds it: shared loads, as in the tiled matmul. Look at:
arithmetic intensity against the direct kernel; the divisions that find the address.

Source: S. Chetlur et al., "cuDNN: efficient primitives for deep learning", 2014, arXiv:1410.0759.
"""

import numpy as np

from workbench import cuda

TILE = 16
STRIDE, PADDING = 4, 2


@cuda.jit(device=True)
def window_value(image, k, pixel, out_cols, width):
    """Return element k of the window that belongs to an output pixel; 0 in the padding."""
    c, rest = k // (width * width), k % (width * width)
    y = pixel // out_cols * STRIDE - PADDING + rest // width
    x = pixel % out_cols * STRIDE - PADDING + rest % width
    if y >= 0 and y < image.shape[1] and x >= 0 and x < image.shape[2]:
        return image[c, y, x]
    return np.float32(0)


@cuda.jit
def conv2d_implicit_gemm(image, weights, bias, out):
    weight_tile = cuda.shared.array((TILE, TILE), np.float32)
    window_tile = cuda.shared.array((TILE, TILE), np.float32)
    pixel, f = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    filters, width = weights.shape[0], weights.shape[3]
    inner = weights.shape[1] * width * width
    pixels = out.shape[1] * out.shape[2]
    total = np.float32(0)
    for start in range(0, inner, TILE):
        k = start + x
        weight = np.float32(0)
        if f < filters and k < inner:
            rest = k % (width * width)
            weight = weights[f, k // (width * width), rest // width, rest % width]
        weight_tile[y, x] = weight
        k = start + y
        value = np.float32(0)
        if k < inner and pixel < pixels:
            value = window_value(image, k, pixel, out.shape[2], width)
        window_tile[y, x] = value
        cuda.syncthreads()
        for k in range(TILE):
            total += weight_tile[y, k] * window_tile[k, x]
        cuda.syncthreads()
    if f < filters and pixel < pixels:
        out[f, pixel // out.shape[2], pixel % out.shape[2]] = total + bias[f]


def launch(image, weights, bias, out):
    pixels = out.shape[1] * out.shape[2]
    blocks = ((pixels + TILE - 1) // TILE, (out.shape[0] + TILE - 1) // TILE)
    conv2d_implicit_gemm[blocks, (TILE, TILE)](image, weights, bias, out)
