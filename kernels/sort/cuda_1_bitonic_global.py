"""Bitonic sort, one launch for each step of the network.

Idea: a sorting network compares fixed pairs, whatever the data, which suits threads that all do
the same. Each step needs the whole of the one before, so each is a launch. What binds it: memory,
log2(n) (log2(n) + 1) / 2 passes of it. Look at: the number of launches; sizes that are no power of
two are padded with infinity, which sorts to the end.

Source: K. Batcher, "Sorting networks and their applications", AFIPS 1968.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def pad(x, work):
    i = cuda.grid(1)
    if i < work.size:
        work[i] = x[i] if i < x.size else np.float32(np.inf)


@cuda.jit
def bitonic_step(work, run, distance):
    """Compare and exchange all pairs `distance` apart, in runs that alternate in direction."""
    i = cuda.grid(1)
    other = i ^ distance
    if other > i and other < work.size:
        ascending = i & run == 0
        low, high = work[i], work[other]
        if (low > high) == ascending:
            work[i] = high
            work[other] = low


@cuda.jit
def unpad(work, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = work[i]


def launch(x, out):
    padded = 1 << max(x.size - 1, 1).bit_length()
    blocks = (padded + THREADS - 1) // THREADS
    work = cuda.device_array(padded, np.float32)
    pad[blocks, THREADS](x, work)
    run = 2
    while run <= padded:
        distance = run // 2
        while distance > 0:
            bitonic_step[blocks, THREADS](work, run, distance)
            distance //= 2
        run *= 2
    unpad[blocks, THREADS](work, out)
