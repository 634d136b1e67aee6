"""Matrix product over a grid of cores, each with its own rows and columns of the result."""

from workbench import aicore

BASE_M = 128
BASE_K_BYTES = 128
BASE_N = 256
STEP = 4


@aicore.kernel
def matmul_multi_core(a, b, out):
    rows, columns = out.shape
    depth = a.shape[1]
    base_k = BASE_K_BYTES // a.dtype.itemsize
    far = base_k * STEP
    a1 = aicore.Queue("A1", (BASE_M, far), a.dtype, depth=2, name="a1")
    b1 = aicore.Queue("B1", (far, BASE_N), b.dtype, depth=2, name="b1")
    a2 = aicore.Queue("A2", (BASE_M, base_k), a.dtype, depth=2, name="a2")
    b2 = aicore.Queue("B2", (base_k, BASE_N), b.dtype, depth=2, name="b2")
    co1 = aicore.Queue("CO1", (BASE_M, BASE_N), "float32", depth=1, name="co1")
    blocks = aicore.block_num()
    # rows of the grid of blocks: 4 x 6 for all 24 cores of a 910B2
    down = 4 if blocks % 4 == 0 and blocks > 8 else 2 if blocks % 2 == 0 else 1
    across = blocks // down
    tall = (rows + down * BASE_M - 1) // (down * BASE_M) * BASE_M
    wide = (columns + across * BASE_N - 1) // (across * BASE_N) * BASE_N
    top = aicore.block_idx() // across * tall
    left = aicore.block_idx() % across * wide
    for i in range(top, min(top + tall, rows), BASE_M):
        i1 = min(i + BASE_M, rows)
        for j in range(left, min(left + wide, columns), BASE_N):
            j1 = min(j + BASE_N, columns)
            total = co1.allocate((i1 - i, j1 - j))
            for k in range(0, depth, far):
                k1 = min(k + far, depth)
                x = a1.allocate((i1 - i, k1 - k))
                y = b1.allocate((k1 - k, j1 - j))
                aicore.data_copy(x, a[i:i1, k:k1])
                a1.enqueue(x)
                aicore.data_copy(y, b[k:k1, j:j1])
                b1.enqueue(y)
                x = a1.dequeue()
                y = b1.dequeue()
                for near in range(0, k1 - k, base_k):
                    stop = min(near + base_k, k1 - k)
                    u = a2.allocate((i1 - i, stop - near))
                    v = b2.allocate((stop - near, j1 - j))
                    aicore.load_data(u, x[:, near:stop])
                    a2.enqueue(u)
                    aicore.load_data(v, y[near:stop, :])
                    b2.enqueue(v)
                    u = a2.dequeue()
                    v = b2.dequeue()
                    aicore.mmad(total, u, v, init=k + near == 0)
                    a2.free(u)
                    b2.free(v)
                a1.free(x)
                b1.free(y)
            co1.enqueue(total)
            total = co1.dequeue()
            aicore.fixpipe(out[i:i1, j:j1], total)
            co1.free(total)


def launch(a, b, out, blocks=24):
    matmul_multi_core[blocks](a, b, out)
