"""A map over a matrix with a grid of two dimensions, and x along the row.

Idea: the hardware numbers the threads of a block with x running fastest, so x must be the index
that runs fastest in memory: the column. What binds it: memory. Look at: sectors per request here
(4) and after swapping `row` and `col` in the first line.
"""

from workbench import cuda

THREADS = (32, 8)


@cuda.jit
def add_scalar_grid_2d(s, a, out):
    col, row = cuda.grid(2)
    if row < a.shape[0] and col < a.shape[1]:
        out[row, col] = a[row, col] + s


def launch(s, a, out):
    rows, cols = a.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    add_scalar_grid_2d[blocks, THREADS](s, a, out)
