"""Flash attention: the Cube multiplies, the Vector unit keeps a running softmax between.

For a tile of queries, tiles of keys pass by: scores on the Cube, through global memory to the
Vector unit, exponentials against the largest score so far, back to the Cube for the product with
the values, and the sum is rescaled whenever the largest score grows. Source of the algorithm:
T. Dao et al., "FlashAttention", NeurIPS 2022, arXiv:2205.14135, algorithm 1.
"""

from workbench import aicore

KEYS = 128
SCORES_READY, WEIGHTS_READY, PART_READY = 0, 1, 2
LOWEST = -3.0e38


@aicore.kernel
def attention_flash(q, k, v, scores, weights, part, out):
    heads, tokens, width = q.shape
    me = aicore.block_idx()
    tall = scores.shape[1]
    cube = aicore.Matmul(q.dtype, (tall, 32, KEYS), step=1)
    score_in = aicore.Queue("VECIN", (tall, KEYS), scores.dtype, depth=1, name="scores")
    part_in = aicore.Queue("VECIN", (tall, width), part.dtype, depth=1, name="part")
    weight_out = aicore.Queue("VECOUT", (tall, KEYS), weights.dtype, depth=1, name="weights")
    result = aicore.Queue("VECOUT", (tall, width), out.dtype, depth=1, name="out")
    wide = aicore.scratch("UB", (tall, KEYS), "float32", name="wide")
    sums = aicore.scratch("UB", (tall, width), "float32", name="sums")
    spread = aicore.scratch("UB", (tall, width), "float32", name="spread")
    largest = aicore.scratch("UB", tall, "float32", name="largest")
    total = aicore.scratch("UB", tall, "float32", name="total")
    new = aicore.scratch("UB", tall, "float32", name="new")
    shrink = aicore.scratch("UB", tall, "float32", name="shrink")
    tiles = (tokens + tall - 1) // tall
    for number in range(me, heads * tiles, aicore.block_num()):
        head = number // tiles
        top = number % tiles * tall
        bottom = min(top + tall, tokens)
        n = bottom - top
        aicore.duplicate(largest[:n], LOWEST)
        aicore.duplicate(total[:n], 0.0)
        aicore.duplicate(sums[:n, :], 0.0)
        for start in range(0, tokens, KEYS):
            stop = min(start + KEYS, tokens)
            m = stop - start
            cube(scores[me, :n, :m], q[head, top:bottom, :], k[head, start:stop, :], True)
            aicore.cross_core_set_flag(SCORES_READY, "AIC.FIX")
            aicore.cross_core_wait_flag(SCORES_READY, "AIV.MTE2")
            s = score_in.allocate((n, m))
            aicore.data_copy_pad(s, scores[me, :n, :m])
            score_in.enqueue(s)
            s = score_in.dequeue()
            aicore.muls(s, s, width**-0.5)
            weigh(s, wide[:n, :m], new[:n], largest[:n], total[:n], shrink[:n])
            bring_out(weights[me, :n, :m], s, weight_out)
            score_in.free(s)
            aicore.cross_core_set_flag(WEIGHTS_READY, "AIV.MTE3")
            aicore.cross_core_wait_flag(WEIGHTS_READY, "AIC.MTE2")
            cube(part[me, :n, :], weights[me, :n, :m], v[head, start:stop, :])
            aicore.cross_core_set_flag(PART_READY, "AIC.FIX")
            aicore.cross_core_wait_flag(PART_READY, "AIV.MTE2")
            add_up(sums[:n, :], part[me, :n, :], spread[:n, :], shrink[:n], part_in)
        aicore.broadcast(spread[:n, :], total[:n])
        aicore.div(sums[:n, :], sums[:n, :], spread[:n, :])
        bring_out(out[head, top:bottom, :], sums[:n, :], result)


def weigh(s, wide, new, largest, total, shrink):
    """Make weights of scores; keep the running maximum and by how much all before it shrinks."""
    aicore.row_max(new, s)
    aicore.max(new, new, largest)
    aicore.sub(shrink, largest, new)
    aicore.exp(shrink, shrink)
    aicore.adds(largest, new, 0.0)
    aicore.broadcast(wide, new)
    aicore.sub(s, s, wide)
    aicore.exp(s, s)
    aicore.row_sum(new, s)
    aicore.mul(total, total, shrink)
    aicore.add(total, total, new)


def add_up(sums, part, spread, shrink, part_in):
    a = part_in.allocate(part.shape)
    aicore.data_copy_pad(a, part)
    part_in.enqueue(a)
    a = part_in.dequeue()
    aicore.broadcast(spread, shrink)
    aicore.mul(sums, sums, spread)
    aicore.add(sums, sums, a)
    part_in.free(a)


def bring_out(target, source, queue):
    tile = queue.allocate(source.shape)
    if target.dtype.itemsize == 4:
        aicore.adds(tile, source, 0.0)
    else:
        aicore.cast(tile, source)
    queue.enqueue(tile)
    tile = queue.dequeue()
    aicore.data_copy_pad(target, tile)
    queue.free(tile)


def launch(q, k, v, out, blocks=8):
    width = q.shape[2]
    tall = 64 if width <= 64 else 48  # what UB has room for
    attention_flash[blocks](
        q,
        k,
        v,
        aicore.workspace((blocks, tall, KEYS), "float32"),
        aicore.workspace((blocks, tall, KEYS), q.dtype),
        aicore.workspace((blocks, tall, width), "float32"),
        out,
    )
