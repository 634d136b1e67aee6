"""Vector addition, one thread for each pair.

Idea: a zip is a map with two inputs. What binds it: memory, 12 bytes for one addition; no kernel
can be faster than reading a and b and writing out. Look at: the roofline point, far to the left.
"""

from workbench import cuda

THREADS = 256


@cuda.jit
def vector_add_guarded(a, b, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a[i] + b[i]


def launch(a, b, out):
    blocks = (out.size + THREADS - 1) // THREADS
    vector_add_guarded[blocks, THREADS](a, b, out)
