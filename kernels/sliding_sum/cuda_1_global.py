"""Sliding sum that reads its three neighbours straight from global memory.

Idea: simple, and each element is read three times. What binds it: memory, softened by caches that
serve two of the three. Look at: the two shifted loads need 5 sectors a request, because a shifted
128 bytes straddles one more.
"""

from workbench import cuda

THREADS = 128


@cuda.jit
def sliding_sum_global(x, out):
    i = cuda.grid(1)
    if i < out.size:
        total = x[i]
        if i >= 1:
            total += x[i - 1]
        if i >= 2:
            total += x[i - 2]
        out[i] = total


def launch(x, out):
    blocks = (out.size + THREADS - 1) // THREADS
    sliding_sum_global[blocks, THREADS](x, out)
