"""Sum a vector: every core sums its part, and adds it to the result in global memory atomically."""

from workbench import aicore

TILE = 4096


@aicore.kernel
def vector_sum_atomic(x, out):
    source = aicore.Queue("VECIN", TILE, x.dtype, name="x")
    result = aicore.Queue("VECOUT", 8, x.dtype, depth=2, name="out")
    part = aicore.scratch("UB", 8, x.dtype, name="part")
    total = aicore.scratch("UB", 8, x.dtype, name="total")
    if aicore.block_idx() == 0:
        zero = result.allocate(1)
        aicore.duplicate(zero, 0.0)
        result.enqueue(zero)
        zero = result.dequeue()
        aicore.data_copy_pad(out, zero)
        result.free(zero)
    aicore.sync_all()
    aicore.duplicate(total[:1], 0.0)
    begin, end = aicore.share(x.size, 16)
    for start in range(begin, end, TILE):
        stop = min(start + TILE, end)
        tile = source.allocate(stop - start)
        aicore.data_copy_pad(tile, x[start:stop])
        source.enqueue(tile)
        tile = source.dequeue()
        aicore.reduce_sum(part[:1], tile)
        aicore.add(total[:1], total[:1], part[:1])
        source.free(tile)
    answer = result.allocate(1)
    aicore.adds(answer, total[:1], 0.0)
    result.enqueue(answer)
    answer = result.dequeue()
    aicore.set_atomic_add()
    aicore.data_copy_pad(out, answer)
    aicore.set_atomic_none()
    result.free(answer)


def launch(x, out, blocks=8):
    vector_sum_atomic[blocks](x, out)
