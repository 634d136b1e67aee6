"""Layer normalisation with one thread for each row, in three passes.

Idea: mean, then variance about that mean, then the quotient. What binds it: memory; three passes,
each down the columns. Look at: 32 sectors a request, three times.
"""

import math

import numpy as np

from workbench import cuda

THREADS = 64
EPSILON = np.float32(1e-5)


@cuda.jit
def layer_norm_thread_per_row(x, weight, bias, out):
    row = cuda.grid(1)
    if row < x.shape[0]:
        count = np.float32(x.shape[1])
        total = np.float32(0)
        for col in range(x.shape[1]):
            total += x[row, col]
        mean = total / count
        squares = np.float32(0)
        for col in range(x.shape[1]):
            centred = x[row, col] - mean
            squares += centred * centred
        deviation = math.sqrt(squares / count + EPSILON)
        for col in range(x.shape[1]):
            out[row, col] = (x[row, col] - mean) / deviation * weight[col] + bias[col]


def launch(x, weight, bias, out):
    blocks = (x.shape[0] + THREADS - 1) // THREADS
    layer_norm_thread_per_row[blocks, THREADS](x, weight, bias, out)
