"""Matrix product, one thread for each element, with x running down the rows.

Idea: straight from the formula. What binds it: memory, for two reasons. Each operand is fetched
from global memory for each product, and the lanes of a warp, which differ in x, stand in 32 rows.
Look at: 32 sectors a request for `a` and for `out`, and which line is to blame.
"""

import numpy as np

from workbench import cuda

THREADS = (16, 16)


@cuda.jit
def matmul_naive(a, b, out):
    row, col = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        total = np.float32(0)
        for k in range(a.shape[1]):
            total += a[row, k] * b[k, col]
        out[row, col] = total


def launch(a, b, out):
    rows, cols = out.shape
    blocks = ((rows + THREADS[0] - 1) // THREADS[0], (cols + THREADS[1] - 1) // THREADS[1])
    matmul_naive[blocks, THREADS](a, b, out)
