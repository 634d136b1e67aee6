"""Prefix sum after Hillis and Steele: everybody adds at every step.

Idea: at step s, element t takes in element t - s; after log2(n) steps it holds the sum of all
before it. Two buffers, since a thread may not overwrite what its neighbour has yet to read. Blocks
cannot wait for each other, so three launches: scan the blocks, scan their totals, add those.
What binds it: work, n log n additions where n would do. Look at: one buffer instead of two, and
the race that follows.

Source: D. Hillis and G. Steele, "Data parallel algorithms", CACM 29 (12), 1986.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def scan_hillis_steele(x, out, totals):
    buffers = cuda.shared.array((2, THREADS), np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    source = 0
    buffers[source, t] = x[i] if i < x.size else np.float32(0)
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        value = buffers[source, t]
        if t >= step:
            value += buffers[source, t - step]
        source = 1 - source
        buffers[source, t] = value
        cuda.syncthreads()
        step *= 2
    if i < out.size:
        out[i] = buffers[source, t]
    if t == THREADS - 1:
        totals[cuda.blockIdx.x] = buffers[source, t]


@cuda.jit
def scan_totals(totals):
    """Prefix sum of the blocks' totals by one block, a piece at a time."""
    piece = cuda.shared.array(THREADS, np.float32)
    t = cuda.threadIdx.x
    carried = np.float32(0)
    for start in range(0, totals.size, THREADS):
        piece[t] = totals[start + t] if start + t < totals.size else np.float32(0)
        cuda.syncthreads()
        step = 1
        while step < THREADS:
            value = piece[t - step] if t >= step else np.float32(0)
            cuda.syncthreads()
            piece[t] += value
            cuda.syncthreads()
            step *= 2
        if start + t < totals.size:
            totals[start + t] = piece[t] + carried
        carried += piece[THREADS - 1]
        cuda.syncthreads()


@cuda.jit
def add_totals(out, totals):
    i = cuda.grid(1)
    if i < out.size and cuda.blockIdx.x > 0:
        out[i] += totals[cuda.blockIdx.x - 1]


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    totals = cuda.device_array(blocks, np.float32)
    scan_hillis_steele[blocks, THREADS](x, out, totals)
    scan_totals[1, THREADS](totals)
    add_totals[blocks, THREADS](out, totals)
