"""The memory model, rule by rule: what orders two accesses and what does not."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.simt.memory_model import (
    Clock,
    Knowledge,
    cross_block_barrier,
    cross_grid_barrier,
    cross_warp_barrier,
)


def clocks(blocks=2, threads=3):
    return [Clock(b * threads + t, b) for b in range(blocks) for t in range(threads)]


def test_a_thread_is_ordered_with_itself_and_with_nobody_else():
    p, q, *_ = clocks()
    assert p.after(p.stamp())
    assert not q.after(p.stamp())


def test_a_block_barrier_orders_its_block_and_no_other():
    p, q, _, far, *_ = everyone = clocks()
    before = p.stamp()
    cross_block_barrier(everyone[:3])
    assert q.after(before)
    assert not far.after(before)
    assert not q.after(p.stamp())


def test_a_warp_barrier_orders_the_lanes_that_meet():
    p, q, bystander, *_ = clocks()
    before = p.stamp()
    cross_warp_barrier([p, q])
    assert q.after(before)
    assert not bystander.after(before)


def test_a_grid_barrier_orders_everybody():
    everyone = clocks()
    before = everyone[0].stamp()
    cross_grid_barrier(everyone)
    assert all(other.after(before) for other in everyone)


def test_a_fence_alone_orders_nothing():
    p, q, *_ = clocks()
    before = p.stamp()
    p.fence()
    q.fence()
    assert not q.after(before)


def pass_on(p, q, release=True, acquire=True):
    flag, before = Knowledge(), p.stamp()
    if release:
        p.fence()
    p.exchange_knowledge(flag)
    q.exchange_knowledge(flag)
    if acquire:
        q.fence()
    return q.after(before)


def test_an_atomic_orders_only_with_a_fence_on_either_side():
    everyone = clocks()
    assert pass_on(everyone[0], everyone[3])
    assert not pass_on(everyone[1], everyone[4], release=False)
    assert not pass_on(everyone[2], everyone[5], acquire=False)


def test_a_block_barrier_acquires_for_the_whole_block():
    everyone = clocks()
    flag, before = Knowledge(), everyone[0].stamp()
    everyone[0].fence()
    everyone[0].exchange_knowledge(flag)
    everyone[3].exchange_knowledge(flag)
    cross_block_barrier(everyone[3:])
    assert everyone[5].after(before)


def test_what_is_known_is_passed_on():
    p, _, _, q, _, r = clocks()
    before = p.stamp()
    assert pass_on(p, q)
    assert pass_on(q, r)
    assert r.after(before)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=30))
def test_order_is_never_lost_again(steps):
    everyone = clocks()
    flag, seen = Knowledge(), []
    for what, who in steps:
        clock = everyone[who]
        seen.append((clock, clock.stamp()))
        ordered = [(c, s) for c in everyone for _, s in seen if c.after(s)]
        block = [c for c in everyone if c.block == clock.block]
        if what == 0:
            cross_block_barrier(block)
        elif what == 1:
            cross_warp_barrier(block[:2])
        elif what == 2:
            clock.fence()
        else:
            clock.exchange_knowledge(flag)
        assert all(c.after(s) for c, s in ordered)
