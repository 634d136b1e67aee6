"""Layer normalisation of whole rows in UB: two sums, one reciprocal square root."""

from workbench import aicore

UB_SHARE_BYTES = 16 * 1024
EPSILON = 1e-5


@aicore.kernel
def layer_norm_rows(x, weight, bias, out):
    rows, columns = x.shape
    tall = max(1, min(16, UB_SHARE_BYTES // (columns * 4 + 32)))
    source = aicore.Queue("VECIN", (tall, columns), x.dtype, name="x")
    scale = aicore.Queue("VECIN", (1, columns), x.dtype, depth=1, name="weight")
    shift = aicore.Queue("VECIN", (1, columns), x.dtype, depth=1, name="bias")
    result = aicore.Queue("VECOUT", (tall, columns), x.dtype, name="out")
    wide = aicore.scratch("UB", (tall, columns), x.dtype, name="wide")
    one = aicore.scratch("UB", tall, x.dtype, name="one")
    w = scale.allocate()
    b = shift.allocate()
    aicore.data_copy_pad(w, weight.reshape(1, columns))
    aicore.data_copy_pad(b, bias.reshape(1, columns))
    scale.enqueue(w)
    shift.enqueue(b)
    w = scale.dequeue()
    b = shift.dequeue()
    begin, end = aicore.share(rows)
    for start in range(begin, end, tall):
        stop = min(start + tall, end)
        n = stop - start
        tile = source.allocate((n, columns))
        aicore.data_copy_pad(tile, x[start:stop, :])
        source.enqueue(tile)
        tile = source.dequeue()
        centred = result.allocate((n, columns))
        normalise(centred, tile, wide[:n, :], one[:n])
        source.free(tile)
        # times weight, plus bias, the same for every row
        aicore.broadcast(wide[:n, :], w)
        aicore.mul(centred, centred, wide[:n, :])
        aicore.broadcast(wide[:n, :], b)
        aicore.add(centred, centred, wide[:n, :])
        result.enqueue(centred)
        centred = result.dequeue()
        aicore.data_copy_pad(out[start:stop, :], centred)
        result.free(centred)
    scale.free(w)
    shift.free(b)


def normalise(centred, tile, wide, one):
    """Write (tile - mean) / sqrt(variance + epsilon), row by row; wide and one are scratch."""
    columns = tile.shape[1]
    aicore.row_sum(one, tile)
    aicore.muls(one, one, 1.0 / columns)
    aicore.broadcast(wide, one)
    aicore.sub(centred, tile, wide)
    aicore.mul(wide, centred, centred)
    aicore.row_sum(one, wide)
    aicore.muls(one, one, 1.0 / columns)
    aicore.adds(one, one, EPSILON)
    aicore.rsqrt(one, one)
    aicore.broadcast(wide, one)
    aicore.mul(centred, centred, wide)


def launch(x, weight, bias, out, blocks=8):
    layer_norm_rows[blocks](x, weight, bias, out)
