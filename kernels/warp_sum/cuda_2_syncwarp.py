"""Sum of a warp through shared memory, with `syncwarp` between the steps.

Idea: what one wrote before there were shuffles, done right. Lanes of a warp need no barrier of the
block, but since Volta they need not run in step either: each step must be closed by `syncwarp`,
and reading must be parted from writing. What binds it: shared memory round trips. Look at: the
finding that the sanitizer reports when either `syncwarp` is gone.
"""

import numpy as np

from workbench import cuda

THREADS = 128


@cuda.jit
def warp_sum_syncwarp(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    lane = t % 32
    partial[t] = x[i] if i < x.size else np.float32(0)
    cuda.syncwarp()
    step = 16
    while step > 0:
        value = partial[t + step] if lane < step else np.float32(0)
        cuda.syncwarp()
        partial[t] += value
        cuda.syncwarp()
        step //= 2
    if lane == 0 and i < x.size:
        out[i // 32] = partial[t]


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    warp_sum_syncwarp[blocks, THREADS](x, out)
