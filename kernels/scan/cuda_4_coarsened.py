"""Prefix sum in which each thread first scans four neighbours by itself.

Idea: a thread adds four elements in registers, which needs nobody; only one number of each thread
then goes through the shuffles, so 64 threads cover 256 elements, with two warps to bring together
instead of eight. Loads and stores stay coalesced by a detour through shared memory. What binds it:
bandwidth, with a quarter of the shuffles for each element. Look at: the banks of
``tile[4 * t + k]``, and what the padding after every 32 elements does to them.

Source: D. Merrill and M. Garland, "Single-pass parallel prefix scan with decoupled look-back",
NVIDIA technical report NVR-2016-002, section 2 (thread coarsening).
"""

import numpy as np

from workbench import cuda
from workbench.kernels.scan.cuda_1_hillis_steele import THREADS as TOTALS_THREADS
from workbench.kernels.scan.cuda_1_hillis_steele import scan_totals

THREADS = 64
EACH = 4
SPAN = THREADS * EACH  # elements of a block
PADDED = SPAN + SPAN // 32
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
def scan_coarsened(x, out, totals):
    tile = cuda.shared.array(PADDED, np.float32)
    per_warp = cuda.shared.array(WARPS, np.float32)
    t = cuda.threadIdx.x
    warp, lane = t // 32, t % 32
    first = cuda.blockIdx.x * SPAN
    for k in range(EACH):
        at = k * THREADS + t
        tile[at + at // 32] = x[first + at] if first + at < x.size else np.float32(0)
    cuda.syncthreads()
    total = np.float32(0)
    for k in range(EACH):
        at = EACH * t + k
        total += tile[at + at // 32]
        tile[at + at // 32] = total
    upto = warp_scan(total, lane)
    if lane == 31:
        per_warp[warp] = upto
    cuda.syncthreads()
    if warp == 0:
        sums = per_warp[lane] if lane < WARPS else np.float32(0)
        sums = warp_scan(sums, lane)
        if lane < WARPS:
            per_warp[lane] = sums
    cuda.syncthreads()
    before = upto - total
    if warp > 0:
        before += per_warp[warp - 1]
    for k in range(EACH):
        at = EACH * t + k
        tile[at + at // 32] += before
    if t == THREADS - 1:
        totals[cuda.blockIdx.x] = before + total
    cuda.syncthreads()
    for k in range(EACH):
        at = k * THREADS + t
        if first + at < out.size:
            out[first + at] = tile[at + at // 32]


@cuda.jit
def add_totals_coarsened(out, totals):
    block = cuda.blockIdx.x
    for k in range(EACH):
        i = block * SPAN + k * THREADS + cuda.threadIdx.x
        if block > 0 and i < out.size:
            out[i] += totals[block - 1]


def launch(x, out):
    blocks = (x.size + SPAN - 1) // SPAN
    totals = cuda.device_array(blocks, np.float32)
    scan_coarsened[blocks, THREADS](x, out, totals)
    scan_totals[1, TOTALS_THREADS](totals)
    add_totals_coarsened[blocks, THREADS](out, totals)
