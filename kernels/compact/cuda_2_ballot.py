"""Compaction by ballots: a warp votes, and each lane counts the votes below its own.

Idea: `ballot_sync` gives all lanes one word with a bit for each lane that keeps its element; the
bits below a lane are its place in the warp. The prefix sum over 256 flags becomes one over eight
warps. What binds it: two readings of `x`. Look at: barriers, 2 instead of 17.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.compact.cuda_1_scan import count_kept, scan_counts

THREADS = 256
WARPS = THREADS // 32
ALL_LANES = 0xFFFFFFFF


@cuda.jit
def write_kept_ballot(x, before, total, out):
    per_warp = cuda.shared.array(WARPS, np.int32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    warp, lane = t // 32, t % 32
    keep = i < x.size and x[min(i, x.size - 1)] > np.float32(0)
    votes = cuda.ballot_sync(ALL_LANES, keep)
    if lane == 0:
        per_warp[warp] = cuda.popc(votes)
    cuda.syncthreads()
    if keep:
        place = before[cuda.blockIdx.x] + cuda.popc(votes & ((1 << lane) - 1))
        for earlier in range(warp):
            place += per_warp[earlier]
        out[place] = x[i]
    if i < out.size and i >= total[0]:
        out[i] = np.float32(0)


def launch(x, out, count):
    blocks = (x.size + THREADS - 1) // THREADS
    counts = cuda.device_array(blocks, np.int32)
    count_kept[blocks, THREADS](x, counts)
    scan_counts[1, THREADS](counts, count)
    write_kept_ballot[blocks, THREADS](x, counts, count, out)
