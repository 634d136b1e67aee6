"""Copy eight bytes a thread: two float32 travel as one float64, a vectorised access.

Idea: half as many load and store instructions for the same bytes. The bits are carried, never
computed with, so it does not matter that they are no number; the odd last element goes alone.
What binds it: bandwidth; what it saves is instructions. Look at: 8 sectors a request, still with
every byte used.
"""

import numpy as np

from workbench import cuda

THREADS = 256


@cuda.jit
def copy_wide(x, out, x_pairs, out_pairs):
    i = cuda.grid(1)
    if i < out_pairs.size:
        out_pairs[i] = x_pairs[i]
    if i == 0 and out.size % 2 == 1:
        out[out.size - 1] = x[out.size - 1]


def launch(x, out):
    even = out.size // 2 * 2
    blocks = max(1, (even // 2 + THREADS - 1) // THREADS)
    x_pairs, out_pairs = x[:even].view(np.float64), out[:even].view(np.float64)
    copy_wide[blocks, THREADS](x, out, x_pairs, out_pairs)
