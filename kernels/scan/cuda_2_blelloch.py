"""Prefix sum after Blelloch: up a tree with sums, down it with what lies to the left.

Idea: 2 n additions instead of n log n. The way up leaves partial sums in the tree; the way down
hands each node the total of everything before it. What binds it: steps with few active threads,
and bank conflicts as the stride grows. Look at: conflicts per line on the way up.

Source: G. Blelloch, "Prefix sums and their applications", CMU-CS-90-190, 1990.
"""

import numpy as np

from workbench import cuda
from workbench.kernels.scan.cuda_1_hillis_steele import add_totals, scan_totals

THREADS = 256


@cuda.jit
def scan_blelloch(x, out, totals):
    tree = cuda.shared.array(THREADS, np.float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    own = x[i] if i < x.size else np.float32(0)
    tree[t] = own
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        right = (t + 1) * 2 * step - 1
        if right < THREADS:
            tree[right] += tree[right - step]
        cuda.syncthreads()
        step *= 2
    if t == 0:
        totals[cuda.blockIdx.x] = tree[THREADS - 1]
        tree[THREADS - 1] = np.float32(0)
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        right = (t + 1) * 2 * step - 1
        if right < THREADS:
            before = tree[right]
            tree[right] += tree[right - step]
            tree[right - step] = before
        cuda.syncthreads()
        step //= 2
    if i < out.size:
        out[i] = tree[t] + own


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    totals = cuda.device_array(blocks, np.float32)
    scan_blelloch[blocks, THREADS](x, out, totals)
    scan_totals[1, THREADS](totals)
    add_totals[blocks, THREADS](out, totals)
