"""Gradient of bias and GELU: each thread adds its share of the bias's gradient atomically.

Idea: the forward pass read one bias for many rows, so the backward pass adds many rows into one
bias. What binds it: the atomics, one for each element. Look at: contention; lanes of a warp hit 32
different columns, but every row hits them again.
"""

import math

import numpy as np

from workbench import cuda

THREADS = (32, 8)
HALF, ONE, ROOT_HALF = np.float32(0.5), np.float32(1), np.float32(math.sqrt(0.5))
DENSITY_AT_0 = np.float32(1 / math.sqrt(2 * math.pi))


@cuda.jit
def clear(out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = np.float32(0)


@cuda.jit(device=True)
def gelu_slope(z):
    return HALF * (ONE + math.erf(z * ROOT_HALF)) + z * DENSITY_AT_0 * math.exp(-HALF * z * z)


@cuda.jit
def bias_gelu_backward_atomic(x, bias, gradient, x_gradient, bias_gradient):
    col, row = cuda.grid(2)
    if row < x.shape[0] and col < x.shape[1]:
        share = gradient[row, col] * gelu_slope(x[row, col] + bias[col])
        x_gradient[row, col] = share
        cuda.atomic.add(bias_gradient, col, share)


def launch(x, bias, gradient, x_gradient, bias_gradient):
    rows, cols = x.shape
    clear[(cols + 255) // 256, 256](bias_gradient)
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    bias_gelu_backward_atomic[blocks, THREADS](x, bias, gradient, x_gradient, bias_gradient)
