"""Vector addition, four elements a thread, a block's width apart.

Idea: independent loads in one thread keep more of them in flight. The four lie blockDim apart and
not side by side: side by side, the lanes of a warp would be 16 bytes apart, and each request would
touch four times the sectors. What binds it: memory latency first, then bandwidth. Look at: sectors
per request when you change the index to ``4 * i + step``.
"""

from workbench import cuda

THREADS = 256
EACH = 4


@cuda.jit
def vector_add_coarsened(a, b, out):
    first = cuda.blockIdx.x * cuda.blockDim.x * EACH + cuda.threadIdx.x
    for step in range(EACH):
        i = first + step * cuda.blockDim.x
        if i < out.size:
            out[i] = a[i] + b[i]


def launch(a, b, out):
    each_block = THREADS * EACH
    blocks = (out.size + each_block - 1) // each_block
    vector_add_coarsened[blocks, THREADS](a, b, out)
