"""A radix pass in three launches: count digits, scan the counts, scatter the keys.

Idea: a key's place is the number of keys with a smaller digit, plus those with its digit in
earlier blocks, plus those before it in its own block. Counts are laid out digit by digit, block by
block, so that one prefix sum answers the first two. What binds it: the scatter, whose writes land
in 16 places; and here, finding the rank in the block, which each thread does by looking at all
before it. Look at: sectors per request of the scatter.

Source: N. Satish, M. Harris and M. Garland, "Designing efficient sorting algorithms for manycore
GPUs", IPDPS 2009.
"""

import numpy as np

from workbench import cuda

THREADS = 128
DIGITS = 16


@cuda.jit
def count_digits(keys, shift, counts):
    bins = cuda.shared.array(DIGITS, np.int32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    if t < DIGITS:
        bins[t] = 0
    cuda.syncthreads()
    if i < keys.size:
        cuda.atomic.add(bins, (keys[i] >> shift) & (DIGITS - 1), 1)
    cuda.syncthreads()
    if t < DIGITS:
        counts[t * cuda.gridDim.x + cuda.blockIdx.x] = bins[t]


@cuda.jit
def scan_counts(counts):
    """Turn counts into the number of keys before each, by one block, a piece at a time."""
    piece = cuda.shared.array(THREADS, np.int32)
    t = cuda.threadIdx.x
    carried = 0
    for start in range(0, counts.size, THREADS):
        own = counts[start + t] if start + t < counts.size else np.int32(0)
        piece[t] = own
        cuda.syncthreads()
        step = 1
        while step < THREADS:
            value = piece[t - step] if t >= step else np.int32(0)
            cuda.syncthreads()
            piece[t] += value
            cuda.syncthreads()
            step *= 2
        if start + t < counts.size:
            counts[start + t] = carried + piece[t] - own
        carried += piece[THREADS - 1]
        cuda.syncthreads()


@cuda.jit
def scatter_ranked(keys, shift, before, out):
    digits = cuda.shared.array(THREADS, np.int32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    digit = (keys[i] >> shift) & (DIGITS - 1) if i < keys.size else np.int32(-1)
    digits[t] = digit
    cuda.syncthreads()
    if i < keys.size:
        rank = 0
        for earlier in range(t):
            if digits[earlier] == digit:
                rank += 1
        out[before[digit * cuda.gridDim.x + cuda.blockIdx.x] + rank] = keys[i]


def launch(keys, shift, out):
    blocks = (keys.size + THREADS - 1) // THREADS
    counts = cuda.device_array(DIGITS * blocks, np.int32)
    count_digits[blocks, THREADS](keys, shift, counts)
    scan_counts[1, THREADS](counts)
    scatter_ranked[blocks, THREADS](keys, shift, counts, out)
