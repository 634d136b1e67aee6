"""Layer normalisation with one block for each row, and a device function that adds up a block.

Idea: `block_sum` synchronises inside, so every thread of the block must call it. What binds it:
memory, three passes along the row. Look at: the barrier at the end of `block_sum`: without it, the
next call overwrites what slow threads have yet to read.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 128
EPSILON = np.float32(1e-5)


@cuda.jit(device=True)
def block_sum(partial, value):
    t = cuda.threadIdx.x
    partial[t] = value
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    total = partial[0]
    cuda.syncthreads()
    return total


@cuda.jit
def layer_norm_block_per_row(x, weight, bias, out):
    partial = cuda.shared.array(THREADS, np.float32)
    row = cuda.blockIdx.x
    t = cuda.threadIdx.x
    count = np.float32(x.shape[1])
    total = np.float32(0)
    for col in range(t, x.shape[1], THREADS):
        total += x[row, col]
    mean = block_sum(partial, total) / count
    squares = np.float32(0)
    for col in range(t, x.shape[1], THREADS):
        centred = x[row, col] - mean
        squares += centred * centred
    deviation = math.sqrt(block_sum(partial, squares) / count + EPSILON)
    for col in range(t, x.shape[1], THREADS):
        out[row, col] = (x[row, col] - mean) / deviation * weight[col] + bias[col]


def launch(x, weight, bias, out):
    layer_norm_block_per_row[x.shape[0], THREADS](x, weight, bias, out)
