"""Sum with one atomic addition for each element.

Idea: correct, because an atomic cannot lose an update, and slow, because they all queue at one
address. What binds it: the atomics. Look at: contention, 32 lanes on one address.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def clear(out):
    out[0] = np.float32(0)


@cuda.jit
def sum_atomic(x, out):
    i = cuda.grid(1)
    if i < x.size:
        cuda.atomic.add(out, 0, x[i])


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    clear[1, 1](out)
    sum_atomic[blocks, THREADS](x, out)
