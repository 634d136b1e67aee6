"""A map over a matrix with a small grid that strides in both dimensions.

Idea: one launch shape serves every matrix, and no dimension of the grid can outgrow the 65,535
blocks that CUDA allows in y and z. What binds it: memory. Look at: the active lanes at the right
edge, where the width is no multiple of 32.
"""

from workbench import cuda

THREADS = (32, 8)
BLOCKS = (3, 3)


@cuda.jit
def add_scalar_grid_stride_2d(s, a, out):
    first_col, first_row = cuda.grid(2)
    col_step, row_step = cuda.gridsize(2)
    for row in range(first_row, a.shape[0], row_step):
        for col in range(first_col, a.shape[1], col_step):
            out[row, col] = a[row, col] + s


def launch(s, a, out):
    add_scalar_grid_stride_2d[BLOCKS, THREADS](s, a, out)
