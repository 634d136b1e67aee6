"""Sparse matrix times vector, one warp for each row.

Idea: 32 lanes read the elements of a row side by side and add by shuffles. What binds it: the
gather from `x`, which nothing can coalesce; short rows leave most lanes idle. Look at: which rows
gain (long ones) and which lose (those of four elements).

Source: N. Bell and M. Garland, "Implementing sparse matrix-vector multiplication on
throughput-oriented processors", SC 2009.
"""

import numpy as np

from workbench import cuda

THREADS = 128
ALL_LANES = 0xFFFFFFFF


@cuda.jit
def spmv_warp_per_row(values, columns, starts, x, out):
    row = cuda.grid(1) // 32
    lane = cuda.laneid
    if row < out.size:
        total = np.float32(0)
        for k in range(starts[row] + lane, starts[row + 1], 32):
            total += values[k] * x[columns[k]]
        step = 16
        while step > 0:
            total += cuda.shfl_down_sync(ALL_LANES, total, step)
            step //= 2
        if lane == 0:
            out[row] = total


def launch(values, columns, starts, x, out):
    blocks = (out.size * 32 + THREADS - 1) // THREADS
    spmv_warp_per_row[blocks, THREADS](values, columns, starts, x, out)
