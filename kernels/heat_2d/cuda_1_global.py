"""A stencil step, five loads for each point.

Idea: read from one array, write into another: in place, a thread would read what its neighbour has
already changed. What binds it: memory, with caches serving most of the five. Look at: the race in
global memory when `out` is `u` itself.
"""

import numpy as np

from workbench import cuda

THREADS = (32, 8)
RATE, FOUR = np.float32(0.2), np.float32(4)


@cuda.jit
def heat_global(u, out):
    col, row = cuda.grid(2)
    rows, cols = u.shape
    if row < rows and col < cols:
        value = u[row, col]
        if row > 0 and row < rows - 1 and col > 0 and col < cols - 1:
            around = u[row - 1, col] + u[row + 1, col] + u[row, col - 1] + u[row, col + 1]
            value += RATE * (around - FOUR * value)
        out[row, col] = value


def launch(u, out):
    rows, cols = out.shape
    blocks = ((cols + THREADS[0] - 1) // THREADS[0], (rows + THREADS[1] - 1) // THREADS[1])
    heat_global[blocks, THREADS](u, out)
