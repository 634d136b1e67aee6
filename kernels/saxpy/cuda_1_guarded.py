"""saxpy with one thread for each element, and a guard for the threads beyond the end.

Idea: the launch has whole blocks only, so it has more threads than elements; the guard sends the
surplus home. What binds it: memory. Two loads and a store (12 bytes) for two operations. Look at:
4 sectors a request on each line, the best that float32 can have.
"""

from workbench import cuda

THREADS = 256


@cuda.jit
def saxpy_guarded(a, x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a * x[i] + y[i]


def launch(a, x, y, out):
    blocks = (out.size + THREADS - 1) // THREADS
    saxpy_guarded[blocks, THREADS](a, x, y, out)
