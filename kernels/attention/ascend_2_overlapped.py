"""Flash attention with both Vector cores of a block, the Cube one step ahead of them.

A step is a tile of queries against 512 keys. While the Vector cores, each with half of the rows,
turn the scores of a step into weights, the Cube computes the product of the step before and the
scores of the next. Scores, weights and products pass through global memory in two slots each;
flags between the units say when a slot is full, and the order of the steps says when it is free
again. Rows are folded to 64 columns before they are reduced: combining two vectors costs a quarter
of reducing one. Algorithm: T. Dao et al., "FlashAttention", NeurIPS 2022, arXiv:2205.14135.
"""

from types import SimpleNamespace

from workbench import aicore

ROWS, HALF = 128, 64  # queries of a block, and of one of its Vector cores
KEYS, TILE = 512, 128  # keys of a step, and of one Cube instruction
CHUNK = 16  # rows in UB at a time
DEPTH_BYTES = 256
SCORES_READY, WEIGHTS_READY, PART_READY = 0, 1, 2
LOWEST = -3.0e38


@aicore.kernel(vector_cores=2)
def attention_overlapped(q, k, v, scores, weights, part, out):
    heads, tokens, width = q.shape
    cube = cube_buffers(width, q.dtype)
    vector = vector_buffers(width, q.dtype)
    query_in = aicore.Queue("A1", (ROWS, width), q.dtype, depth=1, name="query")
    me = aicore.block_idx()
    low = aicore.sub_block_idx() * HALF
    spans = (tokens + KEYS - 1) // KEYS
    tiles = heads * ((tokens + ROWS - 1) // ROWS)
    steps = (tiles + aicore.block_num() - 1 - me) // aicore.block_num() * spans
    for step in range(steps + 1):
        if step < steps:
            head, top, n, start, m = place(step, spans, tokens)
            slot = step % 2
            if start == 0:
                query = load(query_in, q[head, top : top + n, :])
            keys = k[head, start : start + m, :]
            scores_of(scores[me, slot, :n, :m], query, keys, cube)
            if start + m == tokens:
                query_in.free(query)
            aicore.cross_core_set_flag(SCORES_READY, "AIC.FIX")
            aicore.cross_core_wait_flag(SCORES_READY, "AIV.MTE2")
            for row in range(low, min(low + HALF, n), CHUNK):
                h = min(CHUNK, n - row)
                at = step // spans % 2 * HALF + row - low
                back = slot * HALF + row - low
                s = scores[me, slot, row : row + h, :m]
                p = weights[me, slot, row : row + h, :m]
                weights_of(p, s, start == 0, width**-0.5, at, back, vector)
            aicore.cross_core_set_flag(WEIGHTS_READY, "AIV.MTE3")
        if step > 0:
            head, top, n, start, m = place(step - 1, spans, tokens)
            slot = (step - 1) % 2
            aicore.cross_core_wait_flag(WEIGHTS_READY, "AIC.MTE2")
            values = v[head, start : start + m, :]
            product_of(part[me, slot, :n, :], weights[me, slot, :n, :m], values, cube)
            aicore.cross_core_set_flag(PART_READY, "AIC.FIX")
            aicore.cross_core_wait_flag(PART_READY, "AIV.MTE2")
            for row in range(low, min(low + HALF, n), CHUNK):
                h = min(CHUNK, n - row)
                at = (step - 1) // spans % 2 * HALF + row - low
                back = slot * HALF + row - low
                a = part[me, slot, row : row + h, :]
                add_up(a, start == 0, row - low, back, vector)
                if start + m == tokens:
                    finish(out[head, top + row : top + row + h, :], row - low, at, vector)


def cube_buffers(width, dtype):
    deep = DEPTH_BYTES // dtype.itemsize
    return SimpleNamespace(
        key_in=aicore.Queue("B1", (TILE, width), dtype, depth=2, name="key or value"),
        weight_in=aicore.Queue("A1", (ROWS, TILE), dtype, depth=2, name="weight"),
        a2=aicore.Queue("A2", (ROWS, deep), dtype, depth=2, name="a2"),
        b2=aicore.Queue("B2", (deep, TILE), dtype, depth=2, name="b2"),
        co1=aicore.Queue("CO1", (ROWS, TILE), "float32", depth=2, name="co1"),
    )


def vector_buffers(width, dtype):
    twice = 4 // dtype.itemsize  # two buffers where a number has two bytes
    return SimpleNamespace(
        score_in=aicore.Queue("VECIN", (CHUNK, KEYS), "float32", depth=2, name="scores"),
        part_in=aicore.Queue("VECIN", (CHUNK, width), "float32", depth=1, name="part"),
        result=aicore.Queue("VECOUT", (CHUNK, KEYS), dtype, depth=twice, name="result"),
        wide=aicore.scratch("UB", (CHUNK, KEYS), "float32", name="wide"),
        fold=aicore.scratch("UB", (CHUNK, KEYS // 2), "float32", name="fold"),
        new=aicore.scratch("UB", CHUNK, "float32", name="new"),
        sums=aicore.scratch("UB", (HALF, width), "float32", name="sums"),
        largest=aicore.scratch("UB", 2 * HALF, "float32", name="largest"),
        total=aicore.scratch("UB", 2 * HALF, "float32", name="total"),
        shrink=aicore.scratch("UB", 2 * HALF, "float32", name="shrink"),
    )


def place(step, spans, tokens):
    """Return head, first query and how many, first key and how many, of a step of this block."""
    tiles = (tokens + ROWS - 1) // ROWS
    number = aicore.block_idx() + step // spans * aicore.block_num()
    top = number % tiles * ROWS
    start = step % spans * KEYS
    return number // tiles, top, min(ROWS, tokens - top), start, min(KEYS, tokens - start)


def load(queue, source):
    tile = queue.allocate(source.shape)
    aicore.data_copy(tile, source)
    queue.enqueue(tile)
    return queue.dequeue()


def load_rows(queue, source):
    tile = queue.allocate(source.shape)
    aicore.data_copy_pad(tile, source)
    queue.enqueue(tile)
    return queue.dequeue()


def scores_of(target, query, keys, cube):
    for near in range(0, keys.shape[0], TILE):
        stop = min(near + TILE, keys.shape[0])
        key = load(cube.key_in, keys[near:stop, :])
        product = cube.co1.allocate((query.shape[0], stop - near))
        multiply(product, query, key, True, True, cube)
        cube.key_in.free(key)
        bring_out(target[:, near:stop], product, cube.co1)


def product_of(target, weights, values, cube):
    product = cube.co1.allocate(target.shape)
    for near in range(0, values.shape[0], TILE):
        stop = min(near + TILE, values.shape[0])
        value = load(cube.key_in, values[near:stop, :])
        weight = load(cube.weight_in, weights[:, near:stop])
        multiply(product, weight, value, False, near == 0, cube)
        cube.key_in.free(value)
        cube.weight_in.free(weight)
    bring_out(target, product, cube.co1)


def multiply(product, left, right, turned, first, cube):
    """Add left @ right to the product, or begin it; `turned`: right is (n, k)."""
    depth = left.shape[1]
    deep = DEPTH_BYTES // left.dtype.itemsize
    for near in range(0, depth, deep):
        stop = min(near + deep, depth)
        a = cube.a2.allocate((left.shape[0], stop - near))
        aicore.load_data(a, left[:, near:stop])
        cube.a2.enqueue(a)
        b = cube.b2.allocate((stop - near, product.shape[1]))
        if turned:
            aicore.load_data(b, right[:, near:stop], transpose=True)
        else:
            aicore.load_data(b, right[near:stop, :])
        cube.b2.enqueue(b)
        a = cube.a2.dequeue()
        b = cube.b2.dequeue()
        aicore.mmad(product, a, b, init=first and near == 0)
        cube.a2.free(a)
        cube.b2.free(b)


def bring_out(target, product, co1):
    co1.enqueue(product)
    product = co1.dequeue()
    aicore.fixpipe(target, product)
    co1.free(product)


def weights_of(target, source, first, scale, at, back, vector):
    """Write exp(source * scale - the largest so far), and keep the sum and how it shrank."""
    h, m = source.shape
    wide, new = vector.wide[:h, :m], vector.new[:h]
    largest, total = vector.largest[at : at + h], vector.total[at : at + h]
    shrink = vector.shrink[back : back + h]
    if first:
        aicore.duplicate(largest, LOWEST)
        aicore.duplicate(total, 0.0)
    s = load_rows(vector.score_in, source)
    largest_of_rows(new, s, vector.fold)
    aicore.muls(new, new, scale)
    aicore.max(new, new, largest)
    aicore.sub(shrink, largest, new)
    aicore.exp(shrink, shrink)
    aicore.adds(largest, new, 0.0)
    aicore.muls(new, new, -1.0)
    aicore.broadcast(wide, new)
    aicore.axpy(wide, s, scale)
    vector.score_in.free(s)
    aicore.exp(wide, wide)
    copy_out(target, wide, vector.result)
    sum_of_rows(new, wide, vector.fold)
    aicore.mul(total, total, shrink)
    aicore.add(total, total, new)


def largest_of_rows(new, s, fold):
    h = s.shape[0]
    if s.shape[1] == KEYS:
        aicore.max(fold[:h, :256], s[:, :256], s[:, 256:])
        aicore.max(fold[:h, :128], fold[:h, :128], fold[:h, 128:])
        aicore.max(fold[:h, :64], fold[:h, :64], fold[:h, 64:128])
        aicore.row_max(new, fold[:h, :64])
    else:
        aicore.row_max(new, s)


def sum_of_rows(new, s, fold):
    h = s.shape[0]
    if s.shape[1] == KEYS:
        aicore.add(fold[:h, :256], s[:, :256], s[:, 256:])
        aicore.add(fold[:h, :128], fold[:h, :128], fold[:h, 128:])
        aicore.add(fold[:h, :64], fold[:h, :64], fold[:h, 64:128])
        aicore.row_sum(new, fold[:h, :64])
    else:
        aicore.row_sum(new, s)


def add_up(source, first, row, back, vector):
    h, width = source.shape
    sums, spread = vector.sums[row : row + h, :], vector.wide[:h, :width]
    a = load_rows(vector.part_in, source)
    if first:
        aicore.adds(sums, a, 0.0)
    else:
        aicore.broadcast(spread, vector.shrink[back : back + h])
        aicore.mul(sums, sums, spread)
        aicore.add(sums, sums, a)
    vector.part_in.free(a)


def finish(target, row, at, vector):
    h, width = target.shape
    sums, spread = vector.sums[row : row + h, :], vector.wide[:h, :width]
    aicore.broadcast(spread, vector.total[at : at + h])
    aicore.div(sums, sums, spread)
    copy_out(target, sums, vector.result)


def copy_out(target, source, queue):
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
    attention_overlapped[blocks](
        q,
        k,
        v,
        aicore.workspace((blocks, 2, ROWS, KEYS), "float32"),
        aicore.workspace((blocks, 2, ROWS, KEYS), q.dtype),
        aicore.workspace((blocks, 2, ROWS, width), "float32"),
        out,
    )
