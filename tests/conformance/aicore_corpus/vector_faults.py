"""Faults of the Vector side: waits forgotten between its pipes, and queues used out of order."""

import numpy as np

from workbench import aicore

X = np.random.default_rng(5).standard_normal(256).astype(np.float32)
PAIRS = []


def pair(kind, sites, buffer="", blocks=1, size=256):
    """Mark a kernel ``(x, out, repaired)`` as a pair: what is found, between whom, and where."""

    def mark(body):
        args = (X[:size].copy(), np.zeros(size, np.float32))
        PAIRS.append((body.__name__, kind, sites, buffer, blocks, body, args))
        return body

    return mark


def order(event, repaired, number=0):
    if repaired:
        aicore.set_flag(event, number)
        aicore.wait_flag(event, number)


def ub(name, size=256):
    return aicore.scratch("UB", size, "float32", name=name)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def computes_before_the_input_has_arrived(x, out, repaired):
    a, b = ub("a"), ub("b")
    aicore.data_copy(a, x)
    order("MTE2_V", repaired)
    aicore.adds(b, a, 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("missing_wait", ("adds", "data_copy"), "UB")
def copies_out_before_the_result_is_there(x, out, repaired):
    a, b = ub("a"), ub("b")
    aicore.data_copy(a, x)
    order("MTE2_V", True)
    aicore.adds(b, a, 1.0)
    order("V_MTE3", repaired)
    aicore.data_copy(out, b)


@pair("missing_wait", ("adds", "data_copy"), "UB")
def loads_the_next_tile_over_one_that_is_still_read(x, out, repaired):
    a, b = ub("a", 128), ub("b")
    for turn in range(2):
        if turn:
            order("V_MTE2", repaired)
        aicore.data_copy(a, x[turn * 128 : turn * 128 + 128])
        order("MTE2_V", True)
        aicore.adds(b[turn * 128 : turn * 128 + 128], a, 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def computes_into_a_tile_that_is_still_copied_out(x, out, repaired):
    a, b = ub("a"), ub("b", 128)
    aicore.data_copy(a, x)
    order("MTE2_V", True)
    for turn in range(2):
        if turn:
            order("MTE3_V", repaired)
        aicore.adds(b, a[turn * 128 : turn * 128 + 128], 1.0)
        order("V_MTE3", True)
        aicore.data_copy(out[turn * 128 : turn * 128 + 128], b)


@pair("missing_wait", ("data_copy", "data_copy"), "UB")
def copies_through_without_waiting_for_the_way_in(x, out, repaired):
    a = ub("a")
    aicore.data_copy(a, x)
    order("MTE2_MTE3", repaired)
    aicore.data_copy(out, a)


@pair("missing_wait", ("data_copy", "data_copy"), "UB")
def copies_in_over_a_tile_on_its_way_out(x, out, repaired):
    a = ub("a", 128)
    for turn in range(2):
        if turn:
            order("MTE3_MTE2", repaired)
        aicore.data_copy(a, x[turn * 128 : turn * 128 + 128])
        order("MTE2_MTE3", True)
        aicore.data_copy(out[turn * 128 : turn * 128 + 128], a)


@pair("missing_wait", ("data_copy", "data_copy"), "out")
def reads_back_what_it_has_just_stored(x, out, repaired):
    a, b = ub("a", 128), ub("b", 128)
    aicore.duplicate(a, 3.0)
    order("V_MTE3", True)
    aicore.data_copy(out[:128], a)
    order("MTE3_MTE2", repaired)
    aicore.data_copy(b, out[:128])
    order("MTE2_MTE3", True, 1)
    aicore.data_copy(out[128:], b)


@pair("missing_wait", ("set_value", "adds"), "UB")
def the_vector_unit_overtakes_the_scalar_unit(x, out, repaired):
    a, b = ub("a", 8), ub("b", 8)
    aicore.duplicate(a, 1.0)
    order("V_S", True)
    aicore.set_value(a, 0, 5.0)
    order("S_V", repaired)
    aicore.adds(b, a, 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out[:8], b)


@pair("missing_wait", ("adds", "set_value"), "UB")
def the_scalar_unit_overtakes_the_vector_unit(x, out, repaired):
    a, b = ub("a", 8), ub("b", 8)
    aicore.duplicate(a, 1.0)
    order("V_S", True)
    aicore.adds(b, a, 1.0)
    order("V_S", repaired, 1)
    aicore.set_value(a, 0, 5.0)
    order("V_MTE3", True)
    aicore.data_copy(out[:8], b)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def waits_on_one_pipe_where_all_were_meant(x, out, repaired):
    a, b = ub("a"), ub("b")
    aicore.data_copy(a, x)
    aicore.pipe_barrier("ALL" if repaired else "V")
    aicore.adds(b, a, 1.0)
    aicore.pipe_barrier("ALL")
    aicore.data_copy(out, b)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def the_event_points_the_wrong_way(x, out, repaired):
    a, b = ub("a"), ub("b")
    aicore.data_copy(a, x)
    order("MTE2_V" if repaired else "V_MTE2", True)
    aicore.adds(b, a, 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def the_flag_is_set_before_the_copy(x, out, repaired):
    a, b = ub("a"), ub("b")
    if not repaired:
        aicore.set_flag("MTE2_V")
    aicore.data_copy(a, x)
    if repaired:
        aicore.set_flag("MTE2_V")
    aicore.wait_flag("MTE2_V")
    aicore.adds(b, a, 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def enqueues_the_tile_before_it_is_filled(x, out, repaired):
    source, b = aicore.Queue("VECIN", 256, "float32", name="x"), ub("b")
    tile = source.allocate()
    if not repaired:
        source.enqueue(tile)
    aicore.data_copy(tile, x)
    if repaired:
        source.enqueue(tile)
    tile = source.dequeue()
    aicore.adds(b, tile, 1.0)
    source.free(tile)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("missing_wait", ("data_copy", "adds"), "UB")
def waits_only_in_the_first_turn(x, out, repaired):
    a, b = ub("a"), ub("b")
    for turn in range(2):
        part = slice(turn * 128, turn * 128 + 128)
        aicore.data_copy(a[part], x[part])
        order("MTE2_V", repaired or not turn, turn)
        aicore.adds(b[part], a[part], 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("use_after_free", ("adds",))
def uses_a_tile_after_giving_it_back(x, out, repaired):
    source, b = aicore.Queue("VECIN", 256, "float32", name="x"), ub("b")
    tile = source.allocate()
    aicore.data_copy(tile, x)
    source.enqueue(tile)
    tile = source.dequeue()
    if not repaired:
        source.free(tile)
    aicore.adds(b, tile, 1.0)
    if repaired:
        source.free(tile)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("double_free", ("free",))
def gives_a_tile_back_twice(x, out, repaired):
    source = aicore.Queue("VECIN", 256, "float32", name="x")
    tile = source.allocate()
    source.enqueue(tile)
    tile = source.dequeue()
    source.free(tile)
    if not repaired:
        source.free(tile)


@pair("leak", ("allocate",), "UB")
def never_gives_the_last_tile_back(x, out, repaired):
    source = aicore.Queue("VECIN", 256, "float32", name="x")
    tile = source.allocate()
    aicore.data_copy(tile, x)
    source.enqueue(tile)
    tile = source.dequeue()
    if repaired:
        source.free(tile)


@pair("leak", ("allocate",), "UB")
def fills_a_tile_that_nobody_takes(x, out, repaired):
    source = aicore.Queue("VECIN", 256, "float32", name="x")
    tile = source.allocate()
    aicore.data_copy(tile, x)
    source.enqueue(tile)
    if repaired:
        source.free(source.dequeue())


@pair("queue", ("dequeue",))
def takes_from_an_empty_queue(x, out, repaired):
    source = aicore.Queue("VECIN", 256, "float32", name="x")
    tile = source.allocate()
    aicore.data_copy(tile, x)
    if repaired:
        source.enqueue(tile)
    source.free(source.dequeue())


@pair("queue", ("allocate",))
def asks_for_more_tiles_than_the_queue_is_deep(x, out, repaired):
    source = aicore.Queue("VECIN", 64, "float32", depth=3 if repaired else 2, name="x")
    tiles = [source.allocate() for _ in range(3)]
    for tile in tiles:
        source.enqueue(tile)
    for _ in tiles:
        source.free(source.dequeue())


@pair("uninitialised", ("adds",), "UB")
def computes_on_more_than_was_filled(x, out, repaired):
    a, b = ub("a"), ub("b")
    n = 256 if repaired else 200
    aicore.data_copy(a[:n], x[:n])
    order("MTE2_V", True)
    aicore.adds(b, a, 1.0)
    order("V_MTE3", True)
    aicore.data_copy(out, b)


@pair("overflow", ("Queue",))
def asks_for_more_than_ub_holds(x, out, repaired):
    aicore.Queue("VECIN", 16_384 if repaired else 32_768, "float32", depth=2, name="x")


@pair("misaligned", ("adds",))
def begins_in_the_middle_of_a_block(x, out, repaired):
    a = ub("a")
    aicore.duplicate(a, 1.0)
    begin = 8 if repaired else 4
    aicore.adds(a[begin : begin + 8], a[begin : begin + 8], 1.0)


@pair("misaligned", ("data_copy",))
def copies_a_tail_that_is_no_whole_block(x, out, repaired):
    a = ub("a")
    if repaired:
        aicore.data_copy_pad(a[:13], x[:13])
    else:
        aicore.data_copy(a[:13], x[:13])


@pair("out_of_range", ("x[",))
def forgets_to_clip_the_last_tile(x, out, repaired):
    a = ub("a", 96)
    for start in range(0, 256, 96):
        stop = min(start + 96, 256) if repaired else start + 96
        aicore.data_copy_pad(a[: stop - start], x[start:stop])


@pair("dtype", ("add",))
def adds_in_a_type_that_the_unit_lacks(x, out, repaired):
    a = aicore.scratch("UB", 16, "float16" if repaired else "bfloat16")
    aicore.duplicate(a, 1.0)
    aicore.add(a, a, a)


@pair("shape", ("add",))
def adds_a_row_to_a_matrix_as_if_it_broadcast(x, out, repaired):
    matrix, row = ub("matrix", (4, 16)), ub("row", (1, 16))
    wide = ub("wide", (4, 16))
    aicore.duplicate(matrix, 1.0)
    aicore.duplicate(row, 1.0)
    if repaired:
        aicore.broadcast(wide, row)
    aicore.add(matrix, matrix, wide if repaired else row)
