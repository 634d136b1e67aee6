"""Faults between units, between cores, and of events: what is set, waited for, and shared."""

import numpy as np

from workbench import aicore

X = np.random.default_rng(7).standard_normal((32, 32)).astype(np.float16)
PAIRS = []


def pair(kind, sites, buffer="", blocks=1, vector_cores=1):
    """Mark a kernel ``(x, space, out, repaired)`` as a pair."""

    def mark(body):
        body.vector_cores = vector_cores
        space = aicore.workspace((32, 32), "float32")
        args = (X.copy(), space, np.zeros((32, 32), np.float32))
        PAIRS.append((body.__name__, kind, sites, buffer, blocks, body, args))
        return body

    return mark


def through(target, source, number=0):
    """Bring rows through UB, ordered, and return the tile."""
    tile = aicore.scratch("UB", source.shape, source.dtype)
    aicore.data_copy(tile, source)
    aicore.set_flag("MTE2_MTE3", number)
    aicore.wait_flag("MTE2_MTE3", number)
    aicore.data_copy(target, tile)
    return tile


@pair("missing_wait", ("fixpipe", "data_copy"), "space")
def the_vector_core_reads_before_the_cube_core_has_written(x, space, out, repaired):
    aicore.Matmul(x.dtype, (32, 32, 32), 1)(space, x, x)
    if repaired:
        aicore.cross_core_set_flag(0, "AIC.FIX")
        aicore.cross_core_wait_flag(0, "AIV.MTE2")
    through(out, space)


@pair("missing_wait", ("data_copy", "data_copy"), "space")
def the_cube_core_reads_before_the_vector_core_has_written(x, space, out, repaired):
    ones = aicore.scratch("UB", (32, 32), "float32")
    aicore.duplicate(ones, 1.0)
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(space, ones)
    if repaired:
        aicore.cross_core_set_flag(1, "AIV.MTE3")
        aicore.cross_core_wait_flag(1, "AIC.MTE2")
    aicore.Matmul("float32", (32, 32, 32), 1)(out, space, space)


@pair("core_overlap", ("data_copy", "data_copy"), "space", blocks=4)
def reads_what_a_neighbour_has_not_written_yet(x, space, out, repaired):
    me, rows = aicore.block_idx(), 8
    mine = aicore.scratch("UB", (rows, 32), "float32")
    aicore.duplicate(mine, float(me))
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(space[me * rows : me * rows + rows, :], mine)
    if repaired:
        aicore.sync_all()
    other = (me + 1) % aicore.block_num() * rows
    through(out[me * rows : me * rows + rows, :], space[other : other + rows, :])


@pair("core_overlap", ("data_copy", "data_copy"), "out", blocks=3)
def two_cores_write_the_same_rows(x, space, out, repaired):
    begin, end = aicore.share(32, 8)
    if not repaired:
        begin, end = aicore.block_idx() * 8, min(aicore.block_idx() * 8 + 16, 32)
    if begin < end:
        tile = aicore.scratch("UB", (end - begin, 32), "float32")
        aicore.duplicate(tile, float(aicore.block_idx()))
        aicore.set_flag("V_MTE3")
        aicore.wait_flag("V_MTE3")
        aicore.data_copy(out[begin:end, :], tile)


@pair("core_overlap", ("data_copy", "data_copy"), "out", blocks=4)
def every_core_stores_its_sum_without_adding(x, space, out, repaired):
    tile = aicore.scratch("UB", (1, 32), "float32")
    aicore.duplicate(tile, 1.0 + aicore.block_idx())
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    if repaired:
        aicore.set_atomic_add()
    aicore.data_copy(out[:1, :], tile)
    aicore.set_atomic_none()


@pair("uninitialised", ("data_copy",), "space")
def reads_a_workspace_that_nobody_wrote(x, space, out, repaired):
    if repaired:
        through(space, out, 1)
        aicore.set_flag("MTE3_MTE2")
        aicore.wait_flag("MTE3_MTE2")
    through(out, space)


@pair("unmatched_set", ("MTE2_V:0",))
def sets_an_event_that_nobody_waits_for(x, space, out, repaired):
    aicore.set_flag("MTE2_V")
    if repaired:
        aicore.wait_flag("MTE2_V")


@pair("unmatched_wait", ("MTE2_V:1",))
def waits_for_an_event_of_another_number(x, space, out, repaired):
    aicore.set_flag("MTE2_V", 1 if repaired else 0)
    aicore.wait_flag("MTE2_V", 1)


@pair("event_reused", ("MTE2_V:0", "MTE2_V:0"))
def sets_an_event_again_before_it_was_waited_for(x, space, out, repaired):
    tiles = aicore.scratch("UB", (2, 32), x.dtype)
    for turn in range(2):
        aicore.data_copy(tiles[turn, :], x[turn, :])
        aicore.set_flag("MTE2_V", turn if repaired else 0)
        aicore.wait_flag("MTE2_V", turn if repaired else 0)
        aicore.muls(tiles[turn, :], tiles[turn, :], 2.0)


@pair("deadlock", ("V_MTE2:0",))
def two_pipes_wait_for_each_other(x, space, out, repaired):
    if repaired:
        aicore.set_flag("MTE2_V")
        aicore.set_flag("V_MTE2")
    aicore.wait_flag("V_MTE2")
    aicore.wait_flag("MTE2_V")
    if not repaired:
        aicore.set_flag("MTE2_V")
        aicore.set_flag("V_MTE2")


@pair("deadlock", ("sync_all",), blocks=3)
def one_core_never_comes_to_the_meeting(x, space, out, repaired):
    if repaired or aicore.block_idx() < 2:
        aicore.sync_all()


def my_half(tensor):
    """Return the rows of this Vector core of the block."""
    begin = aicore.sub_block_idx() * 16
    return tensor[begin : begin + 16, :]


@pair("missing_wait", ("data_copy", "data_copy"), "space", vector_cores=2)
def a_vector_core_reads_what_the_other_writes(x, space, out, repaired):
    mine = aicore.scratch("UB", (16, 32), "float32")
    aicore.duplicate(mine, float(aicore.sub_block_idx()))
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(my_half(space), mine)
    if repaired:
        aicore.sync_all()
    begin = (1 - aicore.sub_block_idx()) * 16
    through(my_half(out), space[begin : begin + 16, :])


@pair("missing_wait", ("fixpipe", "data_copy"), "space", vector_cores=2)
def a_barrier_is_taken_to_join_the_cube_and_both_vector_cores(x, space, out, repaired):
    aicore.Matmul(x.dtype, (32, 32, 32), 1)(space, x, x)
    if repaired:
        aicore.cross_core_set_flag(10, "AIC.FIX")
        aicore.cross_core_wait_flag(10, "AIV.MTE2")
    else:
        aicore.pipe_barrier("ALL")
    through(my_half(out), my_half(space))


@pair("unmatched_wait", ("cross:3",), vector_cores=2)
def only_one_of_two_vector_cores_sets_what_the_cube_waits_for(x, space, out, repaired):
    ones = aicore.scratch("UB", (16, 32), "float32")
    aicore.duplicate(ones, 1.0)
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(my_half(space), ones)
    if repaired or aicore.sub_block_idx() == 0:
        aicore.cross_core_set_flag(3, "AIV.MTE3")
    aicore.cross_core_wait_flag(3, "AIC.MTE2")
    aicore.Matmul("float32", (32, 32, 32), 1)(out, space, space)


KEPT = {}


@pair("position", ("data_copy",), blocks=2)
def a_core_uses_the_tile_of_another(x, space, out, repaired):
    mine = aicore.scratch("UB", (16, 32), "float16")
    if repaired or aicore.block_idx() == 0:
        KEPT["tile"] = mine
    begin = aicore.block_idx() * 16
    aicore.data_copy(KEPT["tile"], x[begin : begin + 16, :])
