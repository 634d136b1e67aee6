"""Softmax in two passes: maximum and sum together, by one warp for each row.

Idea: when a larger maximum turns up, the sum so far is scaled by exp(old - new); two such pairs
merge the same way, so lanes meet by shuffles. What binds it: memory, two passes instead of three.
Look at: bytes moved against the block kernel; a lane that saw no column holds (-inf, 0), and the
merge must not make a NaN of it.

Source: M. Milakov and N. Gimelshein, "Online normalizer calculation for softmax", 2018,
arXiv:1805.02867.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 128
ALL_LANES = 0xFFFFFFFF
LOWEST = np.float32(-3.0e38)  # below every score, and its difference with itself is 0, not NaN


@cuda.jit
def softmax_online_warp(x, out):
    row = cuda.grid(1) // 32
    lane = cuda.laneid
    if row < x.shape[0]:
        largest, total = LOWEST, np.float32(0)
        for col in range(lane, x.shape[1], 32):
            value = x[row, col]
            higher = max(largest, value)
            total = total * math.exp(largest - higher) + math.exp(value - higher)
            largest = higher
        step = 16
        while step > 0:
            other_largest = cuda.shfl_xor_sync(ALL_LANES, largest, step)
            other_total = cuda.shfl_xor_sync(ALL_LANES, total, step)
            higher = max(largest, other_largest)
            total = total * math.exp(largest - higher) + other_total * math.exp(
                other_largest - higher
            )
            largest = higher
            step //= 2
        for col in range(lane, x.shape[1], 32):
            out[row, col] = math.exp(x[row, col] - largest) / total


def launch(x, out):
    blocks = (x.shape[0] * 32 + THREADS - 1) // THREADS
    softmax_online_warp[blocks, THREADS](x, out)
