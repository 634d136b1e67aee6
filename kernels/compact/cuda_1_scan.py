"""Compaction by counting: each block counts what it keeps, the counts are scanned, blocks write.

Idea: an element's new place is the number of kept elements before it. Within the block that is a
prefix sum of flags; before the block it is the scanned counts. What binds it: two readings of `x`.
Look at: a counter that everybody increments atomically would be shorter, and would lose the order.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit(device=True)
def scan_flags(flags, own):
    """Return the sum of the flags up to and with this thread's."""
    t = cuda.threadIdx.x
    flags[t] = own
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        value = flags[t - step] if t >= step else np.int32(0)
        cuda.syncthreads()
        flags[t] += value
        cuda.syncthreads()
        step *= 2
    return flags[t]


@cuda.jit
def count_kept(x, counts):
    kept = cuda.shared.array(1, np.int32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    if t == 0:
        kept[0] = 0
    cuda.syncthreads()
    if i < x.size and x[i] > np.float32(0):
        cuda.atomic.add(kept, 0, 1)
    cuda.syncthreads()
    if t == 0:
        counts[cuda.blockIdx.x] = kept[0]


@cuda.jit
def scan_counts(counts, total):
    """Turn counts into the number kept before each block, by one block, a piece at a time."""
    flags = cuda.shared.array(THREADS, np.int32)
    t = cuda.threadIdx.x
    carried = 0
    for start in range(0, counts.size, THREADS):
        own = counts[start + t] if start + t < counts.size else np.int32(0)
        upto = scan_flags(flags, own)
        if start + t < counts.size:
            counts[start + t] = carried + upto - own
        carried += flags[THREADS - 1]
        cuda.syncthreads()
    if t == 0:
        total[0] = carried


@cuda.jit
def write_kept(x, before, total, out):
    flags = cuda.shared.array(THREADS, np.int32)
    i = cuda.grid(1)
    keep = i < x.size and x[min(i, x.size - 1)] > np.float32(0)
    upto = scan_flags(flags, np.int32(1) if keep else np.int32(0))
    if keep:
        out[before[cuda.blockIdx.x] + upto - 1] = x[i]
    if i < out.size and i >= total[0]:
        out[i] = np.float32(0)


def launch(x, out, count):
    blocks = (x.size + THREADS - 1) // THREADS
    counts = cuda.device_array(blocks, np.int32)
    count_kept[blocks, THREADS](x, counts)
    scan_counts[1, THREADS](counts, count)
    write_kept[blocks, THREADS](x, counts, count, out)
