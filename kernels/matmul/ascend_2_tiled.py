"""Matrix product with tiles as large as L0 allows, one buffer each: the pipes take turns.

The next rungs climb on `buffers` and `multiply_tile` as they are: what changes is how many buffers
there are, how much one load into L1 feeds, and which core takes which tile.
"""

from types import SimpleNamespace

from workbench import aicore

BASE_M = 128
BASE_K_BYTES = 128
BASE_N = 256


@aicore.kernel
def matmul_tiled(a, b, out):
    store = buffers(a.dtype, steps=1, far_depth=1, near_depth=1)
    rows, columns = out.shape
    for i in range(aicore.block_idx() * BASE_M, rows, aicore.block_num() * BASE_M):
        for j in range(0, columns, BASE_N):
            multiply_tile(out, a, b, i, j, store)


def buffers(dtype, steps, far_depth, near_depth):
    """Queues in L1 for `steps` Cube instructions at a time, in L0 for one, and the accumulator."""
    base_k = BASE_K_BYTES // dtype.itemsize
    far = base_k * steps
    return SimpleNamespace(
        base_k=base_k,
        far=far,
        a1=aicore.Queue("A1", (BASE_M, far), dtype, depth=far_depth, name="a1"),
        b1=aicore.Queue("B1", (far, BASE_N), dtype, depth=far_depth, name="b1"),
        a2=aicore.Queue("A2", (BASE_M, base_k), dtype, depth=near_depth, name="a2"),
        b2=aicore.Queue("B2", (base_k, BASE_N), dtype, depth=near_depth, name="b2"),
        co1=aicore.Queue("CO1", (BASE_M, BASE_N), "float32", depth=1, name="co1"),
    )


def multiply_tile(out, a, b, i, j, store):
    """Compute the tile of `out` that begins at row i, column j."""
    i1, j1 = min(i + BASE_M, out.shape[0]), min(j + BASE_N, out.shape[1])
    depth, far, base_k = a.shape[1], store.far, store.base_k
    total = store.co1.allocate((i1 - i, j1 - j))
    for k in range(0, depth, far):
        k1 = min(k + far, depth)
        x = store.a1.allocate((i1 - i, k1 - k))
        y = store.b1.allocate((k1 - k, j1 - j))
        aicore.data_copy(x, a[i:i1, k:k1])
        store.a1.enqueue(x)
        aicore.data_copy(y, b[k:k1, j:j1])
        store.b1.enqueue(y)
        x = store.a1.dequeue()
        y = store.b1.dequeue()
        for near in range(0, k1 - k, base_k):
            stop = min(near + base_k, k1 - k)
            u = store.a2.allocate((i1 - i, stop - near))
            v = store.b2.allocate((stop - near, j1 - j))
            aicore.load_data(u, x[:, near:stop])
            store.a2.enqueue(u)
            aicore.load_data(v, y[near:stop, :])
            store.b2.enqueue(v)
            u = store.a2.dequeue()
            v = store.b2.dequeue()
            aicore.mmad(total, u, v, init=k + near == 0)
            store.a2.free(u)
            store.b2.free(v)
        store.a1.free(x)
        store.b1.free(y)
    store.co1.enqueue(total)
    total = store.co1.dequeue()
    aicore.fixpipe(out[i:i1, j:j1], total)
    store.co1.free(total)


def launch(a, b, out, blocks=1):
    matmul_tiled[blocks](a, b, out)
