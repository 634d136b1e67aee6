"""Softmax with one block for each row: two trees in shared memory.

Idea: the block walks along its row together, so requests are whole; maximum and sum each take a
tree. One shared array serves both, with a barrier between the last read of one and the first write
of the other: the place where this kernel is usually wrong. What binds it: memory, three passes.
Look at: the race on `partial` when that barrier is missing.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 128


@cuda.jit
def softmax_block_per_row(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    row = cuda.blockIdx.x
    t = cuda.threadIdx.x
    largest = np.float32(-np.inf)
    for col in range(t, x.shape[1], THREADS):
        largest = max(largest, x[row, col])
    partial[t] = largest
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] = max(partial[t], partial[t + step])
        cuda.syncthreads()
        step //= 2
    largest = partial[0]
    cuda.syncthreads()
    total = np.float32(0)
    for col in range(t, x.shape[1], THREADS):
        total += math.exp(x[row, col] - largest)
    partial[t] = total
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    total = partial[0]
    for col in range(t, x.shape[1], THREADS):
        out[row, col] = math.exp(x[row, col] - largest) / total


def launch(x, out):
    softmax_block_per_row[x.shape[0], THREADS](x, out)
