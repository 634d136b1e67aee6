"""The same product with x running along the row: one line has changed.

Idea: `b` and `out` are now read and written side by side, and `a` is the same for a whole row of
threads. What binds it: still the loads, two for every multiply-add. Look at: sectors per request
against the naive kernel.
"""

import numpy as np

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def matmul_coalesced(a, b, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        total = np.float32(0)
        for k in range(a.shape[1]):
            total += a[row, k] * b[k, col]
        out[row, col] = total


def launch(a, b, out):
    rows, cols = out.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    matmul_coalesced[blocks, THREADS](a, b, out)
