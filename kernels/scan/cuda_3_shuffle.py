"""Prefix sum by shuffles in each warp, and once more over the warps' totals.

Idea: five shuffles scan 32 lanes without a barrier; the eight totals are scanned the same way by
one warp. Two barriers in all, instead of eight. What binds it: bandwidth. Look at: shared memory,
32 bytes; `shfl_up_sync` is called by every lane, and only its result is guarded.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.scan.cuda_1_hillis_steele import add_totals, scan_totals

THREADS = 256
WARPS = THREADS // 32
ALL_LANES = 0xFFFFFFFF


@cuda.jit(device=True)
def warp_scan(value, lane):
    step = 1
    while step < 32:
        before = cuda.shfl_up_sync(ALL_LANES, value, step)
        if lane >= step:
            value += before
        step *= 2
    return value


@cuda.jit
def scan_shuffle(x, out, totals):
    per_warp = cuda.shared.array(WARPS, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    warp, lane = t // 32, t % 32
    value = x[i] if i < x.size else np.float32(0)
    value = warp_scan(value, lane)
    if lane == 31:
        per_warp[warp] = value
    cuda.syncthreads()
    if warp == 0:
        total = per_warp[lane] if lane < WARPS else np.float32(0)
        total = warp_scan(total, lane)
        if lane < WARPS:
            per_warp[lane] = total
    cuda.syncthreads()
    if warp > 0:
        value += per_warp[warp - 1]
    if i < out.size:
        out[i] = value
    if t == THREADS - 1:
        totals[cuda.blockIdx.x] = value


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    totals = cuda.device_array(blocks, np.float32)
    scan_shuffle[blocks, THREADS](x, out, totals)
    scan_totals[1, THREADS](totals)
    add_totals[blocks, THREADS](out, totals)
