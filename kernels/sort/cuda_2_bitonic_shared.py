"""Bitonic sort with all short distances in shared memory.

Idea: once the distance is below the block's width, pairs never leave the block: all remaining
steps of a run go through shared memory with barriers, one launch instead of nine. What binds it:
the long-distance passes that are left. Look at: bytes moved; a barrier after every step, and each
thread owns one pair, so that nobody is idle.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.sort.cuda_1_bitonic_global import bitonic_step, pad, unpad

THREADS = 256
PIECE = 2 * THREADS


@cuda.jit
def bitonic_shared(work, first_run, last_run):
    """Finish the runs from `first_run` to `last_run` inside pieces of 512 elements."""
    piece = cuda.shared.array(PIECE, np.float32)
    t = cuda.threadIdx.x
    start = cuda.blockIdx.x * PIECE
    piece[t] = work[start + t]
    piece[t + THREADS] = work[start + t + THREADS]
    cuda.syncthreads()
    run = first_run
    while run <= last_run:
        distance = min(run // 2, THREADS)
        while distance > 0:
            i = 2 * t - (t & (distance - 1))
            ascending = (start + i) & run == 0
            low, high = piece[i], piece[i + distance]
            if (low > high) == ascending:
                piece[i] = high
                piece[i + distance] = low
            cuda.syncthreads()
            distance //= 2
        run *= 2
    work[start + t] = piece[t]
    work[start + t + THREADS] = piece[t + THREADS]


def launch(x, out):
    padded = max(PIECE, 1 << max(x.size - 1, 1).bit_length())
    blocks = (padded + THREADS - 1) // THREADS
    work = cuda.device_array(padded, np.float32)
    pad[blocks, THREADS](x, work)
    bitonic_shared[padded // PIECE, THREADS](work, 2, PIECE)
    run = 2 * PIECE
    while run <= padded:
        distance = run // 2
        while distance > THREADS:
            bitonic_step[blocks, THREADS](work, run, distance)
            distance //= 2
        bitonic_shared[padded // PIECE, THREADS](work, run, run)
        run *= 2
    unpad[blocks, THREADS](work, out)
