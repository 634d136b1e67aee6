"""Sum in a tree whose active threads lie ever further apart.

Idea: a block adds its elements in pairs, then pairs of pairs; one atomic for each block. What
binds it: idle lanes. At the second step every other lane works, at the third every fourth, and
all warps stay busy with it. Look at: the active-lane fraction of the addition.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def clear(out):
    out[0] = np.float32(0)


@cuda.jit
def sum_tree_interleaved(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    partial[t] = x[i] if i < x.size else np.float32(0)
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        if t % (2 * step) == 0:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step *= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    clear[1, 1](out)
    sum_tree_interleaved[blocks, THREADS](x, out)
