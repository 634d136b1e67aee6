"""Sliding sum from shared memory, with a halo of two elements to the left.

Idea: a block loads its piece and the two elements before it once, then every window is read from
the chip. The halo is where such kernels go wrong: it belongs to another block, and for block 0 it
does not exist. What binds it: memory, now read once. Look at: what the first window of the second
block becomes without the halo: an error that one block alone never shows.
"""

import numpy as np

from workbench import cuda

THREADS = 128
HALO = 2
PIECE = THREADS + HALO


@cuda.jit
def sliding_sum_shared_halo(x, out):
    piece = cuda.shared.array(PIECE, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    piece[t + HALO] = x[i] if i < x.size else np.float32(0)
    if t < HALO:
        before = i - HALO
        piece[t] = x[before] if before >= 0 and before < x.size else np.float32(0)
    cuda.syncthreads()
    if i < out.size:
        out[i] = piece[t] + piece[t + 1] + piece[t + 2]


def launch(x, out):
    blocks = (out.size + THREADS - 1) // THREADS
    sliding_sum_shared_halo[blocks, THREADS](x, out)
