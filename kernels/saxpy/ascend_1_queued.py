"""saxpy with queues: one multiply-add of the Vector unit for each tile."""

from workbench import aicore

TILE = 2048


@aicore.kernel
def saxpy_queued(a, x, y, out):
    first = aicore.Queue("VECIN", TILE, x.dtype, name="x")
    second = aicore.Queue("VECIN", TILE, y.dtype, name="y")
    result = aicore.Queue("VECOUT", TILE, out.dtype, name="out")
    begin, end = aicore.share(out.size, 16)
    for start in range(begin, end, TILE):
        stop = min(start + TILE, end)
        left = first.allocate(stop - start)
        right = second.allocate(stop - start)
        aicore.data_copy_pad(left, x[start:stop])
        aicore.data_copy_pad(right, y[start:stop])
        first.enqueue(left)
        second.enqueue(right)
        left = first.dequeue()
        right = second.dequeue()
        total = result.allocate(stop - start)
        aicore.adds(total, right, 0.0)
        aicore.axpy(total, left, a)
        result.enqueue(total)
        first.free(left)
        second.free(right)
        total = result.dequeue()
        aicore.data_copy_pad(out[start:stop], total)
        result.free(total)


def launch(a, x, y, out, blocks=8):
    saxpy_queued[blocks](a, x, y, out)
