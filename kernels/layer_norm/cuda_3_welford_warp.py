"""Layer normalisation in two passes: mean and variance together, one warp for each row.

Idea: Welford's update keeps a running mean and a sum of squares about it; two of them merge
exactly, so 32 lanes meet in five shuffles. What binds it: memory, two passes instead of three.
Look at: why the textbook shortcut, mean of squares minus square of mean, fails in float32 when the
mean is large; a lane without a column has a count of 0, by which nothing may be divided.

Source: T. Chan, G. Golub and R. LeVeque, "Algorithms for computing the sample variance", The
American Statistician 37 (3), 1983.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 128
ALL_LANES = 0xFFFFFFFF
EPSILON = np.float32(1e-5)


@cuda.jit
def layer_norm_welford_warp(x, weight, bias, out):
    row = cuda.grid(1) // 32
    lane = cuda.laneid
    if row < x.shape[0]:
        count, mean, squares = np.float32(0), np.float32(0), np.float32(0)
        for col in range(lane, x.shape[1], 32):
            value = x[row, col]
            count += np.float32(1)
            delta = value - mean
            mean += delta / count
            squares += delta * (value - mean)
        step = 16
        while step > 0:
            other_count = cuda.shfl_xor_sync(ALL_LANES, count, step)
            other_mean = cuda.shfl_xor_sync(ALL_LANES, mean, step)
            other_squares = cuda.shfl_xor_sync(ALL_LANES, squares, step)
            both = max(count + other_count, np.float32(1))
            delta = other_mean - mean
            squares += other_squares + delta * delta * count * other_count / both
            mean = (mean * count + other_mean * other_count) / both
            count += other_count
            step //= 2
        deviation = math.sqrt(squares / count + EPSILON)
        for col in range(lane, x.shape[1], 32):
            out[row, col] = (x[row, col] - mean) / deviation * weight[col] + bias[col]


def launch(x, weight, bias, out):
    blocks = (x.shape[0] * 32 + THREADS - 1) // THREADS
    layer_norm_welford_warp[blocks, THREADS](x, weight, bias, out)
