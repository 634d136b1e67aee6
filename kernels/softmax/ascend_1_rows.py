"""Softmax of whole rows in UB: maximum, difference, exponential, sum, division."""

from workbench import aicore

UB_SHARE_BYTES = 24 * 1024


@aicore.kernel
def softmax_rows(x, out):
    rows, columns = x.shape
    tall = max(1, min(16, UB_SHARE_BYTES // (columns * 4 + 32)))
    source = aicore.Queue("VECIN", (tall, columns), x.dtype, name="x")
    result = aicore.Queue("VECOUT", (tall, columns), x.dtype, name="out")
    wide = aicore.scratch("UB", (tall, columns), x.dtype, name="wide")
    one = aicore.scratch("UB", tall, x.dtype, name="one")
    begin, end = aicore.share(rows)
    for start in range(begin, end, tall):
        stop = min(start + tall, end)
        n = stop - start
        tile = source.allocate((n, columns))
        aicore.data_copy_pad(tile, x[start:stop, :])
        source.enqueue(tile)
        tile = source.dequeue()
        answer = result.allocate((n, columns))
        aicore.row_max(one[:n], tile)
        aicore.broadcast(wide[:n, :], one[:n])
        aicore.sub(answer, tile, wide[:n, :])
        source.free(tile)
        aicore.exp(answer, answer)
        aicore.row_sum(one[:n], answer)
        aicore.broadcast(wide[:n, :], one[:n])
        aicore.div(answer, answer, wide[:n, :])
        result.enqueue(answer)
        answer = result.dequeue()
        aicore.data_copy_pad(out[start:stop, :], answer)
        result.free(answer)


def launch(x, out, blocks=8):
    softmax_rows[blocks](x, out)
