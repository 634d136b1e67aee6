"""One thread walks along each row.

Idea: the obvious one, and the wrong one. At every step the 32 lanes of a warp stand in 32 rows, a
row's length apart. What binds it: memory, and most of what it moves is thrown away. Look at: 32
sectors a request where 4 would do.
"""

import numpy as np

from workbench import cuda

THREADS = 64


@cuda.jit
def axis_sum_thread_per_row(x, out):
    row = cuda.grid(1)
    if row < x.shape[0]:
        total = np.float32(0)
        for col in range(x.shape[1]):
            total += x[row, col]
        out[row] = total


def launch(x, out):
    blocks = (x.shape[0] + THREADS - 1) // THREADS
    axis_sum_thread_per_row[blocks, THREADS](x, out)
