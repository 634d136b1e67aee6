"""Dot product: each thread multiplies, each block adds in a tree, one atomic ends the block.

Idea: threads of a block meet in shared memory and halve their number at each step; blocks meet in
one atomic addition, because nothing else orders them. What binds it: memory for large vectors.
Look at: the barrier is outside the `if`, so that every thread of the block arrives.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def clear(out):
    out[0] = np.float32(0)


@cuda.jit
def dot_tree(a, b, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    partial[t] = a[i] * b[i] if i < a.size else np.float32(0)
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


def launch(a, b, out):
    blocks = (a.size + THREADS - 1) // THREADS
    clear[1, 1](out)
    dot_tree[blocks, THREADS](a, b, out)
