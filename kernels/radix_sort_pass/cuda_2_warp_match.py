"""A radix pass whose ranks come from matching lanes.

Idea: `match_any_sync` shows each lane which lanes of its warp hold the same digit; the number of
those below it is its rank in the warp. Per warp and digit, one count in shared memory gives the
rank in the block. What binds it: the scatter, as it should. Look at: no loop over the earlier
threads; lanes past the end match each other with digit -1 and write nothing.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.radix_sort_pass.cuda_1_count_scan_scatter import count_digits, scan_counts

THREADS = 128
WARPS = THREADS // 32
DIGITS = 16
ALL_LANES = 0xFFFFFFFF


@cuda.jit
def scatter_matched(keys, shift, before, out):
    per_warp = cuda.shared.array((WARPS, DIGITS), np.int32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    warp, lane = t // 32, t % 32
    if t < WARPS * DIGITS:
        per_warp[t // DIGITS, t % DIGITS] = 0
    cuda.syncthreads()
    digit = (keys[i] >> shift) & (DIGITS - 1) if i < keys.size else np.int32(-1)
    same = cuda.match_any_sync(ALL_LANES, digit)
    rank = cuda.popc(same & ((1 << lane) - 1))
    if digit >= 0 and rank == 0:
        per_warp[warp, digit] = cuda.popc(same)
    cuda.syncthreads()
    if digit >= 0:
        for earlier in range(warp):
            rank += per_warp[earlier, digit]
        out[before[digit * cuda.gridDim.x + cuda.blockIdx.x] + rank] = keys[i]


def launch(keys, shift, out):
    blocks = (keys.size + THREADS - 1) // THREADS
    counts = cuda.device_array(DIGITS * blocks, np.int32)
    count_digits[blocks, THREADS](keys, shift, counts)
    scan_counts[1, THREADS](counts)
    scatter_matched[blocks, THREADS](keys, shift, counts, out)
