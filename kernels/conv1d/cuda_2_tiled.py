"""Convolution in one dimension from a tile in shared memory, with its halo.

Idea: a block needs its own elements and the eight after them; both are loaded once and read nine
times from the chip. What binds it: shared memory instructions now. Look at: the second load, that
only a few threads make, and the barrier that every thread must reach.
"""

import numpy as np

from workbench import cuda

THREADS = 128
WIDTH = 9
PIECE = THREADS + WIDTH - 1


@cuda.jit
def conv1d_tiled(x, weights, out):
    tile = cuda.shared.array(PIECE, np.float32)
    taps = cuda.shared.array(WIDTH, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    tile[t] = x[i] if i < x.size else np.float32(0)
    if t < WIDTH - 1:
        after = i + THREADS
        tile[t + THREADS] = x[after] if after < x.size else np.float32(0)
    if t < WIDTH:
        taps[t] = weights[t]
    cuda.syncthreads()
    if i < out.size:
        total = np.float32(0)
        for k in range(WIDTH):
            total += tile[t + k] * taps[k]
        out[i] = total


def launch(x, weights, out):
    blocks = (out.size + THREADS - 1) // THREADS
    conv1d_tiled[blocks, THREADS](x, weights, out)
