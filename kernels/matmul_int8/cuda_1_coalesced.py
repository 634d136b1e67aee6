"""Integer matrix product, one thread for each element.

Idea: widen before multiplying. -128 * -128 is no int8, and Numba's own rule for small integers is
not something to lean on. What binds it: load instructions, one byte each. Look at: one sector a
request for 32 lanes: a quarter of float32's, which is what quantised networks are after.
"""

import numpy as np

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def matmul_int8_coalesced(a, b, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        total = np.int32(0)
        for k in range(a.shape[1]):
            total += np.int32(a[row, k]) * np.int32(b[k, col])
        out[row, col] = total


def launch(a, b, out):
    rows, cols = out.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    matmul_int8_coalesced[blocks, THREADS](a, b, out)
