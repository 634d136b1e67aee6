"""Matrix product over a grid of cores, each with its own rows and columns of the result."""

from workbench import aicore
from workbench.kernels.matmul.ascend_2_tiled import BASE_M, BASE_N, buffers, multiply_tile


@aicore.kernel
def matmul_multi_core(a, b, out):
    store = buffers(a.dtype, steps=4, far_depth=2, near_depth=2)
    rows, columns = out.shape
    blocks = aicore.block_num()
    # rows of the grid of blocks: 4 x 6 for all 24 cores of a 910B2
    down = 4 if blocks % 4 == 0 and blocks > 8 else 2 if blocks % 2 == 0 else 1
    across = blocks // down
    tall = (rows + down * BASE_M - 1) // (down * BASE_M) * BASE_M
    wide = (columns + across * BASE_N - 1) // (across * BASE_N) * BASE_N
    top = aicore.block_idx() // across * tall
    left = aicore.block_idx() % across * wide
    for i in range(top, min(top + tall, rows), BASE_M):
        for j in range(left, min(left + wide, columns), BASE_N):
            multiply_tile(out, a, b, i, j, store)


def launch(a, b, out, blocks=24):
    matmul_multi_core[blocks](a, b, out)
