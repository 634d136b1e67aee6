"""Faults of the Cube side: waits forgotten on the way through L1, L0 and the accumulator."""

import numpy as np

from workbench import aicore

N = 32
A = np.random.default_rng(6).standard_normal((N, N)).astype(np.float16)
PAIRS = []


def pair(kind, sites, buffer=""):
    """Mark a kernel ``(a, out, repaired)`` as a pair."""

    def mark(body):
        args = (A.copy(), np.zeros((N, N), np.float32))
        PAIRS.append((body.__name__, kind, sites, buffer, 1, body, args))
        return body

    return mark


def order(event, repaired, number=0):
    if repaired:
        aicore.set_flag(event, number)
        aicore.wait_flag(event, number)


def buffers():
    return (
        aicore.scratch("L1", (N, N), "float16", name="a1"),
        aicore.scratch("L0A", (N, N), "float16", name="a2"),
        aicore.scratch("L0B", (N, N), "float16", name="b2"),
        aicore.scratch("L0C", (N, N), "float32", name="c"),
    )


def square(a, out, into_l0=True, to_cube=True, to_out=True):
    a1, a2, b2, c = buffers()
    aicore.data_copy(a1, a)
    order("MTE2_MTE1", into_l0)
    aicore.load_data(a2, a1)
    aicore.load_data(b2, a1)
    order("MTE1_M", to_cube)
    aicore.mmad(c, a2, b2, init=True)
    order("M_FIX", to_out)
    aicore.fixpipe(out, c)
    return a1, a2, b2, c


@pair("missing_wait", ("data_copy", "load_data"), "L1")
def reads_l1_before_it_is_loaded(a, out, repaired):
    square(a, out, into_l0=repaired)


@pair("missing_wait", ("load_data", "mmad"), "L0")
def multiplies_before_l0_is_loaded(a, out, repaired):
    square(a, out, to_cube=repaired)


@pair("missing_wait", ("mmad", "fixpipe"), "L0C")
def brings_out_the_accumulator_before_it_is_done(a, out, repaired):
    square(a, out, to_out=repaired)


@pair("missing_wait", ("fixpipe", "mmad"), "L0C")
def multiplies_into_an_accumulator_on_its_way_out(a, out, repaired):
    _, a2, b2, c = square(a, out)
    order("FIX_M", repaired)
    aicore.mmad(c, a2, b2, init=False)


@pair("missing_wait", ("mmad", "load_data"), "L0A")
def loads_l0_while_the_cube_still_reads_it(a, out, repaired):
    a1, a2, b2, c = buffers()
    aicore.data_copy(a1, a)
    order("MTE2_MTE1", True)
    aicore.load_data(a2, a1)
    aicore.load_data(b2, a1)
    order("MTE1_M", True)
    aicore.mmad(c, a2, b2, init=True)
    order("M_MTE1", repaired)
    aicore.load_data(a2, a1, transpose=True)
    order("MTE1_M", True, 1)
    aicore.mmad(c, a2, b2, init=False)
    order("M_FIX", True)
    aicore.fixpipe(out, c)


@pair("missing_wait", ("load_data", "data_copy"), "L1")
def loads_l1_while_it_is_still_read(a, out, repaired):
    a1, a2, b2, c = buffers()
    aicore.data_copy(a1, a)
    order("MTE2_MTE1", True)
    aicore.load_data(a2, a1)
    order("MTE1_MTE2", repaired)
    aicore.data_copy(a1, a.transposed())
    order("MTE2_MTE1", True, 1)
    aicore.load_data(b2, a1)
    order("MTE1_M", True)
    aicore.mmad(c, a2, b2, init=True)
    order("M_FIX", True)
    aicore.fixpipe(out, c)


@pair("uninitialised", ("mmad",), "L0C")
def accumulates_onto_nothing(a, out, repaired):
    a1, a2, b2, c = buffers()
    aicore.data_copy(a1, a)
    aicore.pipe_barrier()
    aicore.load_data(a2, a1)
    aicore.load_data(b2, a1)
    aicore.pipe_barrier()
    aicore.mmad(c, a2, b2, init=repaired)
    aicore.pipe_barrier()
    aicore.fixpipe(out, c)


@pair("overflow", ("Queue",))
def doubles_a_buffer_that_fills_l0_already(a, out, repaired):
    aicore.Queue("B2", (64 if repaired else 128, 256), "float16", depth=2, name="b2")


@pair("overflow", ("scratch",))
def wants_an_accumulator_larger_than_l0c(a, out, repaired):
    aicore.scratch("L0C", (128, 256 if repaired else 272), "float32")


@pair("position", ("load_data",))
def goes_from_global_memory_straight_to_l0(a, out, repaired):
    a1, a2, _, _ = buffers()
    if repaired:
        aicore.data_copy(a1, a)
        order("MTE2_MTE1", True)
    aicore.load_data(a2, a1 if repaired else a)


@pair("dtype", ("mmad",))
def accumulates_in_half(a, out, repaired):
    _, a2, b2, _ = buffers()
    c = aicore.scratch("L0C", (N, N), "float32" if repaired else "float16")
    a1 = aicore.scratch("L1", (N, N), "float16")
    aicore.data_copy(a1, a)
    aicore.pipe_barrier()
    aicore.load_data(a2, a1)
    aicore.load_data(b2, a1)
    aicore.pipe_barrier()
    aicore.mmad(c, a2, b2, init=True)


@pair("misaligned", ("load_data",))
def cuts_a_fractal_in_two(a, out, repaired):
    a1, a2, _, _ = buffers()
    aicore.data_copy(a1, a)
    aicore.pipe_barrier()
    begin = 16 if repaired else 8
    aicore.load_data(a2[:16, :], a1[begin : begin + 16, :])
