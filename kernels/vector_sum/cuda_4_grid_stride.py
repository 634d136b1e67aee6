"""Sum with a grid-stride loop in front of the tree.

Idea: each thread adds many elements in a register before the block meets, so the tree and its
barriers are paid once for thousands of elements. What binds it: bandwidth, as it should. Look at:
the share of lines that the tree takes has vanished.
"""

import numpy as np

from workbench import cuda

THREADS = 256
MOST_BLOCKS = 64


@cuda.jit
def clear(out):
    out[0] = np.float32(0)


@cuda.jit
def sum_grid_stride(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    t = cuda.threadIdx.x
    total = np.float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i]
    partial[t] = total
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
    blocks = min(MOST_BLOCKS, (x.size + THREADS - 1) // THREADS)
    clear[1, 1](out)
    sum_grid_stride[blocks, THREADS](x, out)
