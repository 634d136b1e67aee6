"""Sum in a tree whose active threads stay side by side.

Idea: the first half adds the second half, then the first quarter the second. Whole warps retire
together. What binds it: half of the threads only load. Look at: the active-lane fraction against
the interleaved tree; bank conflicts, of which there are none.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def clear(out):
    out[0] = np.float32(0)


@cuda.jit
def sum_tree(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    partial[t] = x[i] if i < x.size else np.float32(0)
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    clear[1, 1](out)
    sum_tree[blocks, THREADS](x, out)
