"""Histogram with a private copy of the bins in each block's shared memory.

Idea: the queues form inside a block, where atomics are near and cheap, and each block hands over
256 counts at the end. What binds it: shared atomics to hot bins. Look at: global atomics, fewer by
the ratio of values to bins; the two barriers that keep clearing, counting and handing over apart.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.histogram.cuda_1_global_atomics import clear

THREADS = 256
BINS = 256
MOST_BLOCKS = 32


@cuda.jit
def histogram_shared(values, out):
    bins = cuda.shared.array(BINS, np.int32)
    t = cuda.threadIdx.x
    for b in range(t, BINS, THREADS):
        bins[b] = 0
    cuda.syncthreads()
    for i in range(cuda.grid(1), values.size, cuda.gridsize(1)):
        cuda.atomic.add(bins, values[i], 1)
    cuda.syncthreads()
    for b in range(t, BINS, THREADS):
        cuda.atomic.add(out, b, bins[b])


def launch(values, out):
    clear[(out.size + THREADS - 1) // THREADS, THREADS](out)
    blocks = min(MOST_BLOCKS, (values.size + THREADS - 1) // THREADS)
    histogram_shared[blocks, THREADS](values, out)
