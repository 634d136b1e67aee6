"""Matrix product with two buffers in L0 as well, and four Cube steps from each load into L1."""

from workbench import aicore
from workbench.kernels.matmul.ascend_2_tiled import BASE_M, BASE_N, buffers, multiply_tile


@aicore.kernel
def matmul_l0_pipelined(a, b, out):
    store = buffers(a.dtype, steps=4, far_depth=2, near_depth=2)
    rows, columns = out.shape
    for i in range(aicore.block_idx() * BASE_M, rows, aicore.block_num() * BASE_M):
        for j in range(0, columns, BASE_N):
            multiply_tile(out, a, b, i, j, store)


def launch(a, b, out, blocks=1):
    matmul_l0_pipelined[blocks](a, b, out)
