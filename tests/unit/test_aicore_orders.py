"""Laws of order: what is called clean gives one answer in every order that the flags allow."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import aicore
from workbench.aicore.readings.order import shuffled

TILES, WIDTH = 3, 16
EVENTS = ("MTE2_V", "V_MTE2", "V_MTE3", "MTE3_V", "MTE3_MTE2", "MTE2_MTE3")
tile = st.integers(0, TILES - 1)
step = st.one_of(
    st.tuples(st.just("in"), tile),
    st.tuples(st.just("out"), tile),
    st.tuples(st.just("add"), tile, tile),
    st.tuples(st.just("order"), st.sampled_from(EVENTS)),
    st.tuples(st.just("order"), st.sampled_from(EVENTS)),
    st.tuples(st.just("barrier")),
)
X = np.random.default_rng(2).standard_normal((40, WIDTH)).astype(np.float32)


def program(x, out, steps):
    tiles = [aicore.scratch("UB", WIDTH, x.dtype) for _ in range(TILES)]
    for number, one in enumerate(tiles):
        aicore.duplicate(one, float(number))
    aicore.pipe_barrier()
    for number, (what, *rest) in enumerate(steps):
        if what == "in":
            aicore.data_copy(tiles[rest[0]], x[number, :])
        elif what == "out":
            aicore.data_copy(out[number, :], tiles[rest[0]])
        elif what == "add":
            aicore.add(tiles[rest[0]], tiles[rest[0]], tiles[rest[1]])
        elif what == "order":
            aicore.set_flag(rest[0], number % 8)
            aicore.wait_flag(rest[0], number % 8)
        else:
            aicore.pipe_barrier()


@given(st.lists(step, min_size=3, max_size=30))
@settings(max_examples=80, deadline=None)
def test_a_program_without_a_missing_wait_gives_one_answer_in_every_order(steps):
    out = np.zeros_like(X)
    run = aicore.kernel(program)[1](X, out, steps)
    found = {one.kind for one in run.hazards(replay=False).findings} & {"missing_wait"}
    answers = [run.reordered(seed).get("out", out) for seed in range(6)]
    agree = all(np.array_equal(one, out) for one in answers)
    assert agree or found, "an order gives another answer, and nothing was found"


@given(st.lists(step, min_size=3, max_size=30))
@settings(max_examples=80, deadline=None)
def test_a_shown_hazard_is_a_real_one(steps):
    out = np.zeros_like(X)
    run = aicore.kernel(program)[1](X, out, steps)
    for one in run.hazards().findings:
        if one.changes_result:
            # somebody's order gives another answer, so the program really depends on luck
            first, second = one.sites
            assert first.pipe != second.pipe


@given(st.lists(step, min_size=3, max_size=30), st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_every_order_that_is_dealt_is_allowed(steps, seed):
    run = aicore.kernel(program)[1](X, np.zeros_like(X), steps)
    place = {node.index: at for at, node in enumerate(shuffled(run.order, seed))}
    assert len(place) == len(run.order.nodes)
    for index, before in enumerate(run.order.before):
        assert all(place[one] < place[index] for one in before)
