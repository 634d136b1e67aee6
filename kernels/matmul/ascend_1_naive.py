"""Matrix product, one small tile after the other: every stage waits until all is quiet."""

from workbench import aicore

TILE = 32


@aicore.kernel
def matmul_naive(a, b, out):
    rows, columns = out.shape
    depth = a.shape[1]
    a1 = aicore.scratch("L1", (TILE, TILE), a.dtype, name="a1")
    b1 = aicore.scratch("L1", (TILE, TILE), b.dtype, name="b1")
    a2 = aicore.scratch("L0A", (TILE, TILE), a.dtype, name="a2")
    b2 = aicore.scratch("L0B", (TILE, TILE), b.dtype, name="b2")
    c = aicore.scratch("L0C", (TILE, TILE), "float32", name="c")
    for i in range(aicore.block_idx() * TILE, rows, aicore.block_num() * TILE):
        i1 = min(i + TILE, rows)
        for j in range(0, columns, TILE):
            j1 = min(j + TILE, columns)
            for k in range(0, depth, TILE):
                k1 = min(k + TILE, depth)
                aicore.data_copy(a1[: i1 - i, : k1 - k], a[i:i1, k:k1])
                aicore.data_copy(b1[: k1 - k, : j1 - j], b[k:k1, j:j1])
                aicore.pipe_barrier("ALL")
                aicore.load_data(a2[: i1 - i, : k1 - k], a1[: i1 - i, : k1 - k])
                aicore.load_data(b2[: k1 - k, : j1 - j], b1[: k1 - k, : j1 - j])
                aicore.pipe_barrier("ALL")
                aicore.mmad(
                    c[: i1 - i, : j1 - j],
                    a2[: i1 - i, : k1 - k],
                    b2[: k1 - k, : j1 - j],
                    init=k == 0,
                )
                aicore.pipe_barrier("ALL")
            aicore.fixpipe(out[i:i1, j:j1], c[: i1 - i, : j1 - j])
            aicore.pipe_barrier("ALL")


def launch(a, b, out, blocks=1):
    matmul_naive[blocks](a, b, out)
