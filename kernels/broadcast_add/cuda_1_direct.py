"""Broadcasting without copies: each thread picks the one element of the column and of the row.

Idea: a broadcast is an index that does not depend on one of the thread's coordinates. What binds
it: the store; the inputs are so small that caches serve them. Look at: one sector a request for
the column (all 32 lanes read the same address), 4 for the row.
"""

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def broadcast_add_direct(column, row, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = column[i, 0] + row[0, j]


def launch(column, row, out):
    rows, cols = out.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    broadcast_add_direct[blocks, THREADS](column, row, out)
