"""Sparse matrix times vector, one thread for each row.

Idea: a row is a short loop. What binds it: memory and imbalance. Neighbouring lanes read
neighbouring rows, whose elements lie apart, and a warp waits for its longest row. Look at: sectors
per request, and the active-lane fraction inside the loop.
"""

import numpy as np

from workbench import cuda

THREADS = 128


@cuda.jit
def spmv_thread_per_row(values, columns, starts, x, out):
    row = cuda.grid(1)
    if row < out.size:
        total = np.float32(0)
        for k in range(starts[row], starts[row + 1]):
            total += values[k] * x[columns[k]]
        out[row] = total


def launch(values, columns, starts, x, out):
    blocks = (out.size + THREADS - 1) // THREADS
    spmv_thread_per_row[blocks, THREADS](values, columns, starts, x, out)
