"""Matrix product that loads the next tile into L1 while this one is multiplied."""

from workbench import aicore
from workbench.kernels.matmul.ascend_2_tiled import BASE_M, BASE_N, buffers, multiply_tile


@aicore.kernel
def matmul_double_buffered(a, b, out):
    store = buffers(a.dtype, steps=1, far_depth=2, near_depth=1)
    rows, columns = out.shape
    for i in range(aicore.block_idx() * BASE_M, rows, aicore.block_num() * BASE_M):
        for j in range(0, columns, BASE_N):
            multiply_tile(out, a, b, i, j, store)


def launch(a, b, out, blocks=1):
    matmul_double_buffered[blocks](a, b, out)
