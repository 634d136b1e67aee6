"""Gradient of bias and GELU: a block owns 32 columns, and adds their rows itself.

Idea: eight threads walk down each column in a register, meet in shared memory, and one writes. No
atomic, and so the same bits in every run. What binds it: memory. Look at: fewer blocks, each with
more to do: what does that cost on a matrix with few columns?
"""

import numpy as np

from workbench import cuda
from workbench.kernels.bias_gelu_backward.cuda_1_atomic import gelu_slope

COLUMNS, ROWS = 32, 8


@cuda.jit
def bias_gelu_backward_column_sums(x, bias, gradient, x_gradient, bias_gradient):
    partial = cuda.shared.array((ROWS, COLUMNS), np.float32)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    col = cuda.blockIdx.x * COLUMNS + tx
    total = np.float32(0)
    if col < x.shape[1]:
        for row in range(ty, x.shape[0], ROWS):
            share = gradient[row, col] * gelu_slope(x[row, col] + bias[col])
            x_gradient[row, col] = share
            total += share
    partial[ty, tx] = total
    cuda.syncthreads()
    step = ROWS // 2
    while step > 0:
        if ty < step:
            partial[ty, tx] += partial[ty + step, tx]
        cuda.syncthreads()
        step //= 2
    if ty == 0 and col < x.shape[1]:
        bias_gradient[col] = partial[0, tx]


def launch(x, bias, gradient, x_gradient, bias_gradient):
    blocks = (x.shape[1] + COLUMNS - 1) // COLUMNS
    bias_gelu_backward_column_sums[blocks, (COLUMNS, ROWS)](
        x, bias, gradient, x_gradient, bias_gradient
    )
