"""Sum by shuffles in the warps, then once more among the warps.

Idea: lanes of a warp read each other's registers; eight warp sums meet in shared memory and one
warp adds them. One barrier in all. What binds it: bandwidth. Look at: shared memory, 32 bytes a
block instead of 1,024.
"""

import numpy as np

from workbench import cuda

THREADS = 256
WARPS = THREADS // 32
MOST_BLOCKS = 64
ALL_LANES = 0xFFFFFFFF


@cuda.jit
def clear(out):
    out[0] = np.float32(0)


@cuda.jit(device=True)
def warp_sum(value):
    step = 16
    while step > 0:
        value += cuda.shfl_down_sync(ALL_LANES, value, step)
        step //= 2
    return value


@cuda.jit
def sum_shuffle(x, out):
    per_warp = cuda.shared.array(WARPS, np.float32)
    t = cuda.threadIdx.x
    warp, lane = t // 32, t % 32
    total = np.float32(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total += x[i]
    total = warp_sum(total)
    if lane == 0:
        per_warp[warp] = total
    cuda.syncthreads()
    if warp == 0:
        total = per_warp[lane] if lane < WARPS else np.float32(0)
        total = warp_sum(total)
        if lane == 0:
            cuda.atomic.add(out, 0, total)


def launch(x, out):
    blocks = min(MOST_BLOCKS, (x.size + THREADS - 1) // THREADS)
    clear[1, 1](out)
    sum_shuffle[blocks, THREADS](x, out)
