"""The same map through shared memory: a block brings its piece in, waits, and works on the copy.

Idea: the pattern of every tiled kernel (load, barrier, compute) with nothing else around it. Each
thread takes its neighbour's element from the copy, so that the barrier is needed. What binds it:
memory; shared memory buys nothing here, since every element is used once. Look at: the race that
the sanitizer names when you take the barrier out.
"""

import numpy as np

from workbench import cuda

THREADS = 128


@cuda.jit
def add_scalar_shared(s, a, out):
    piece = cuda.shared.array(THREADS, np.float32)
    first = cuda.blockIdx.x * cuda.blockDim.x
    t = cuda.threadIdx.x
    count = min(cuda.blockDim.x, a.size - first)
    if t < count:
        piece[t] = a[first + t]
    cuda.syncthreads()
    if t < count:
        other = count - 1 - t
        out[first + other] = piece[other] + s


def launch(s, a, out):
    blocks = (a.size + THREADS - 1) // THREADS
    add_scalar_shared[blocks, THREADS](s, a, out)
