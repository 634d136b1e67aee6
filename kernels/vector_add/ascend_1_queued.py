"""Vector add in three stages, CopyIn, Compute, CopyOut, handed on through queues of depth 2."""

from workbench import aicore

TILE = 2048


@aicore.kernel
def vector_add_queued(a, b, out):
    left = aicore.Queue("VECIN", TILE, a.dtype, name="left")
    right = aicore.Queue("VECIN", TILE, b.dtype, name="right")
    total = aicore.Queue("VECOUT", TILE, out.dtype, name="total")
    begin, end = aicore.share(out.size, 16)
    for start in range(begin, end, TILE):
        stop = min(start + TILE, end)
        # CopyIn
        x = left.allocate(stop - start)
        y = right.allocate(stop - start)
        aicore.data_copy_pad(x, a[start:stop])
        aicore.data_copy_pad(y, b[start:stop])
        left.enqueue(x)
        right.enqueue(y)
        # Compute
        x = left.dequeue()
        y = right.dequeue()
        z = total.allocate(stop - start)
        aicore.add(z, x, y)
        total.enqueue(z)
        left.free(x)
        right.free(y)
        # CopyOut
        z = total.dequeue()
        aicore.data_copy_pad(out[start:stop], z)
        total.free(z)


def launch(a, b, out, blocks=8):
    vector_add_queued[blocks](a, b, out)
