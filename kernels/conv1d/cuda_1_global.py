"""Convolution in one dimension, every operand from global memory.

Idea: one thread computes one output from nine neighbours. What binds it: the load instructions:
18 for 18 operations, although caches keep the traffic low. Look at: the weights cost one sector a
request, since all lanes read the same one.
"""

import numpy as np

from workbench import cuda

THREADS = 128


@cuda.jit
def conv1d_global(x, weights, out):
    i = cuda.grid(1)
    if i < out.size:
        total = np.float32(0)
        for k in range(weights.size):
            if i + k < x.size:
                total += x[i + k] * weights[k]
        out[i] = total


def launch(x, weights, out):
    blocks = (out.size + THREADS - 1) // THREADS
    conv1d_global[blocks, THREADS](x, weights, out)
