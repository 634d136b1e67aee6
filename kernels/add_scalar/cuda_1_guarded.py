"""A map: one thread computes one element, and the guard turns the surplus threads away.

Idea: who am I? Block index times block size plus thread index. What binds it: memory, 8 bytes for
one addition. Look at: what happens to the last block when you take the guard out.
"""

from workbench import cuda

THREADS = 128


@cuda.jit
def add_scalar_guarded(s, a, out):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < a.size:
        out[i] = a[i] + s


def launch(s, a, out):
    blocks = (a.size + THREADS - 1) // THREADS
    add_scalar_guarded[blocks, THREADS](s, a, out)
