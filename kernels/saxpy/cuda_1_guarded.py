"""saxpy with one thread for each element, and a guard for the threads beyond the end."""

from workbench import cuda


@cuda.jit
def saxpy_guarded(a, x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a * x[i] + y[i]


def launch(a, x, y, out):
    threads = 256
    blocks = (out.size + threads - 1) // threads
    saxpy_guarded[blocks, threads](a, x, y, out)
