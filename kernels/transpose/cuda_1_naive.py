"""Transpose, one thread for each element: reads along rows, writes down columns.

Idea: one of the two sides must walk a column, and here it is the write. What binds it: memory, of
which seven eighths are wasted on the store. Look at: 4 sectors a request on the load, 32 on the
store, in one line of source.
"""

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def transpose_naive(x, out):
    col, row = cuda.grid(2)
    if row < x.shape[0] and col < x.shape[1]:
        out[col, row] = x[row, col]


def launch(x, out):
    rows, cols = x.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    transpose_naive[blocks, THREADS](x, out)
