"""saxpy with a fixed number of threads, each of which strides over the data.

Idea: the grid no longer follows the size. A thread begins at its own index and steps by the number
of all threads, so neighbours stay neighbours at every step. What binds it: memory, as before; what
it saves is the start of blocks. Look at: the sectors per request, which have not changed, and the
active lanes of the last step.
"""

from workbench import cuda

THREADS = 256
MOST_BLOCKS = 64


@cuda.jit
def saxpy_grid_stride(a, x, y, out):
    start = cuda.grid(1)
    step = cuda.gridsize(1)
    for i in range(start, out.size, step):
        out[i] = a * x[i] + y[i]


def launch(a, x, y, out):
    blocks = min(MOST_BLOCKS, (out.size + THREADS - 1) // THREADS)
    saxpy_grid_stride[blocks, THREADS](a, x, y, out)
