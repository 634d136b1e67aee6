"""Prefix sum of a warp: Hillis and Steele without memory.

Idea: at each step a lane takes in what the lane `step` before it holds. What binds it: memory.
Look at: the shuffle is outside the `if`. Inside, lanes below `step` would not take part, and the
mask would name lanes that are not there: undefined on a GPU, a finding here.
"""

import numpy as np

from workbench import cuda

THREADS = 128
ALL_LANES = 0xFFFFFFFF


@cuda.jit
def warp_scan_shuffle_up(x, out):
    i = cuda.grid(1)
    lane = cuda.laneid
    value = x[i] if i < x.size else np.float32(0)
    step = 1
    while step < 32:
        before = cuda.shfl_up_sync(ALL_LANES, value, step)
        if lane >= step:
            value += before
        step *= 2
    if i < out.size:
        out[i] = value


def launch(x, out):
    blocks = (x.size + THREADS - 1) // THREADS
    warp_scan_shuffle_up[blocks, THREADS](x, out)
