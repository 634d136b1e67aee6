"""Histogram with one atomic in global memory for each value.

Idea: many threads may hit one bin at once, so each increment must be atomic; a plain ``+= 1``
loses counts. What binds it: atomics to hot bins, which queue. Look at: contention per line, and
the finding when the atomic is replaced by a plain increment.
"""

from workbench import cuda

THREADS = 256


@cuda.jit
def clear(out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 0


@cuda.jit
def histogram_global_atomics(values, out):
    i = cuda.grid(1)
    if i < values.size:
        cuda.atomic.add(out, values[i], 1)


def launch(values, out):
    clear[(out.size + THREADS - 1) // THREADS, THREADS](out)
    blocks = (values.size + THREADS - 1) // THREADS
    histogram_global_atomics[blocks, THREADS](values, out)
