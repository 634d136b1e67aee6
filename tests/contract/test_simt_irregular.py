"""The irregular tier: threads that wait for each other anywhere, and the same answers as elsewhere.

Each kernel here waits in a way that no thread loop between barriers can hold. Orders of turns are
drawn by hypothesis: no order changes the answer of a correct kernel.
"""

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import float32, int32

from workbench import cuda
from workbench.errors import StoppedError
from workbench.simt import irregular
from workbench.simt.dim3 import Dim3
from workbench.simt.errors import (
    BarrierDivergenceError,
    DeadlockError,
    KernelSourceError,
    OutOfBoundsError,
)

THREADS = 48  # one warp and a half


@cuda.jit
def spin_lock(lock, total):
    while cuda.atomic.cas(lock, 0, 0, 1) != 0:
        pass
    total[0] = total[0] + 1
    cuda.threadfence()
    cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def ticket_lock(tickets, seen, served):
    mine = cuda.atomic.add(tickets, 0, 1)
    while tickets[1] != mine:
        cuda.nanosleep(10)
    served[seen[0]] = cuda.grid(1)
    seen[0] += 1
    cuda.threadfence()
    tickets[1] = mine + 1


@cuda.jit(device=True)
def acquired(lock):
    while True:
        if cuda.atomic.cas(lock, 0, 0, 1) == 0:
            return 7


@cuda.jit
def lock_in_a_function(lock, total):
    got = acquired(lock)
    total[0] = total[0] + got
    cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def look_back(values, flags, sums, out):
    tile = cuda.shared.array(THREADS, float32)
    before = cuda.shared.array(1, float32)
    t, b, i = cuda.threadIdx.x, cuda.blockIdx.x, cuda.grid(1)
    tile[t] = values[i] if i < values.size else 0
    cuda.syncthreads()
    if t == 0:
        for k in range(1, THREADS):
            tile[k] += tile[k - 1]
        carry = float32(0)
        if b > 0:
            while True:
                ready = flags[b - 1]
                if ready != 0:
                    break
            cuda.threadfence()
            carry = sums[b - 1]
        sums[b] = carry + tile[THREADS - 1]
        cuda.threadfence()
        cuda.atomic.exch(flags, b, 1)
        before[0] = carry
    cuda.syncthreads()
    if i < out.size:
        out[i] = before[0] + tile[t]


@cuda.jit
def last_to_first(flags, out):
    b = cuda.blockIdx.x
    if cuda.threadIdx.x == 0:
        if b < cuda.gridDim.x - 1:
            while flags[b + 1] == 0:
                pass
            out[b] = out[b + 1] + 1
        cuda.threadfence()
        flags[b] = 1


@cuda.jit
def steps_over_the_grid(a, b, steps):
    grid = cuda.cg.this_grid()
    i = cuda.grid(1)
    for k in range(steps):
        if i < a.size:
            b[i] = a[(i + 1) % a.size] + k
        grid.sync()
        if i >= a.size:
            return
        a[i] = b[i]
        grid.sync()


@cuda.jit
def producer_and_consumer(given, out):
    box = cuda.shared.array(1, int32)
    full = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    if t == 0:
        full[0] = 0
    cuda.syncthreads()
    if t == THREADS - 1:
        for k in range(given.size):
            while full[0] == 1:
                pass
            box[0] = given[k]
            full[0] = 1
    elif t == 1:
        for k in range(given.size):
            while full[0] == 0:
                pass
            out[k] = box[0]
            full[0] = 0


@cuda.jit(device=True)
def summed(tile, t, value):
    tile[t] = value
    cuda.syncthreads()
    for k in range(tile.size):
        if k == 3:
            return tile[0] + tile[k]
        cuda.syncthreads()
    return value


@cuda.jit
def views_and_functions(a, out):
    tile = cuda.shared.array(THREADS, float32)
    own = cuda.local.array(3, float32)
    t, b = cuda.threadIdx.x, cuda.blockIdx.x
    row, part = a[t % a.shape[0]], a[t % 2, 1:3]
    for k in range(3):
        own[k] = row[k % row.size] + b
    got = summed(tile, t, row[0])
    for k in (2, 0):
        cuda.syncthreads()
        got += own[k] + part[k % 2]
    else:
        got += 1
    out[b, t] = got


@cuda.jit
def diverging_warps(out):
    t = cuda.threadIdx.x
    if t >= THREADS - 3:
        return  # early: the others do not wait for these
    if t % 2 == 0:
        out[t] = cuda.shfl_xor_sync(0x55555555, t, 2)
        out[t] += cuda.shfl_up_sync(0x55555555, 10 * t, 4)
    else:
        out[t] = cuda.ballot_sync(0xAAAAAAAA, t % 4 == 1) % 1000
    _, every = cuda.match_all_sync(0xFFFFFFFF, t // 64)
    if every:
        out[t] += cuda.popc(cuda.match_any_sync(0xFFFFFFFF, t // 3)) * 100000
    if cuda.any_sync(0xFFFFFFFF, t == 40) and not cuda.all_sync(0xFFFFFFFF, t > 33):
        out[t] += cuda.popc(cuda.activemask()) * 1000000
    out[t] += cuda.syncthreads_count(t % 5) + 2 * cuda.syncthreads_and(t + 1)


@cuda.jit
def nobody_writes(flag):
    if cuda.threadIdx.x < 3:
        while flag[0] == 0:
            pass
    flag[1] = 1


@cuda.jit
def two_barriers(out):
    if cuda.threadIdx.x < 5:
        cuda.syncthreads()
    else:
        cuda.syncthreads()
        out[0] = 1


@cuda.jit
def beyond_after_a_wait(flag, out):
    if cuda.threadIdx.x == 0:
        flag[0] = 1
    else:
        while flag[0] == 0:
            pass
        out[cuda.grid(1)] = 1


@cuda.jit(device=True)
def falls(n):
    cuda.syncthreads()
    return falls(n - 1) if n > 0 else 0


@cuda.jit
def recursion_with_barriers(out):
    out[0] = falls(3)


_machines = {}


def run(kernel, blocks, args, order=None):
    """Launch as a state machine, with the threads of each block taking turns in this order."""
    kinds = tuple(numba.typeof(value) for value in args)
    machine = _machines.get(kernel)
    if machine is None:
        machine = _machines[kernel] = irregular.build(kernel.resolved, kinds, (THREADS, 1, 1))
        machine.compile(kinds)
    irregular.run(machine, Dim3(blocks), args, order=order)


any_order = st.permutations(range(THREADS))
any_blocks = st.integers(1, 70)
repeated = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # one compilation each, then microseconds


@repeated
@given(blocks=any_blocks, order=any_order)
def test_a_spin_lock_lets_every_thread_in_once(blocks, order):
    lock, total = np.zeros(1, np.int32), np.zeros(1, np.int64)
    run(spin_lock, blocks, (lock, total), order)
    assert (total[0], lock[0]) == (blocks * THREADS, 0)
    run(lock_in_a_function, blocks, (lock, total), order)
    assert total[0] == 8 * blocks * THREADS


@repeated
@given(blocks=any_blocks, order=any_order)
def test_a_ticket_lock_serves_in_the_order_of_the_tickets(blocks, order):
    count = blocks * THREADS
    tickets, seen, served = np.zeros(2, np.int32), np.zeros(1, np.int64), np.full(count, -1)
    run(ticket_lock, blocks, (tickets, seen, served), order)
    assert served.reshape(blocks, THREADS)[0].tolist() == list(order)
    assert sorted(served) == list(range(count))


@repeated
@given(size=st.integers(1, 3000), order=any_order, seed=st.integers(0, 99))
def test_a_scan_that_looks_back_at_the_block_before(size, order, seed):
    values = np.random.default_rng(seed).integers(0, 9, size).astype(np.float32)
    blocks, out = -(-size // THREADS), np.zeros(size, np.float32)
    run(look_back, blocks, (values, np.zeros(blocks, np.int32), np.zeros_like(out), out), order)
    np.testing.assert_array_equal(out, np.cumsum(values))


@repeated
@given(blocks=st.integers(1, 300), order=any_order)
def test_a_block_may_wait_for_one_that_begins_later(blocks, order):
    out = np.zeros(blocks, np.int64)
    run(last_to_first, blocks, (np.zeros(blocks, np.int32), out), order)
    assert out.tolist() == list(range(blocks))[::-1]


@repeated
@given(size=st.integers(1, 2000), order=any_order, steps=st.integers(0, 4))
def test_a_barrier_over_the_grid_orders_what_blocks_wrote(size, order, steps):
    a = np.arange(size, dtype=np.float32)
    want = a.copy()
    for k in range(steps):
        want = np.roll(want, -1) + k
    run(steps_over_the_grid, size // THREADS + 2, (a, np.zeros_like(a), steps), order)
    np.testing.assert_array_equal(a, want)


@repeated
@given(order=any_order, blocks=st.integers(1, 3), given_=st.lists(st.integers(-9, 9), max_size=20))
def test_two_threads_of_a_block_hand_values_over(order, blocks, given_):
    values = np.array(given_, np.int32)
    out = np.zeros_like(values)
    run(producer_and_consumer, blocks, (values, out), order)
    np.testing.assert_array_equal(out, values)


@repeated
@given(order=any_order, blocks=st.integers(1, 9), rows=st.integers(2, 60))
def test_views_and_local_arrays_and_returns_outlive_barriers(order, blocks, rows):
    a = np.arange(rows * 5, dtype=np.float32).reshape(rows, 5)
    out, t = np.zeros((blocks, THREADS), np.float32), np.arange(THREADS)
    run(views_and_functions, blocks, (a, out), order)
    row, part = a[t % rows], a[t % 2, 1:3]
    got = a[0, 0] + a[3 % rows, 0]
    want = got + row[:, 2] + part[:, 0] + row[:, 0] + part[:, 0] + 1
    np.testing.assert_array_equal(out, want + 2 * np.arange(blocks)[:, None])


@repeated
@given(order=any_order)
def test_warp_operations_in_divergent_code_do_as_step_by_step(order):
    out, want = np.zeros(THREADS, np.int64), np.zeros(THREADS, np.int64)
    run(diverging_warps, 1, (out,), order)
    with cuda.tier("step-through"):
        diverging_warps[1, THREADS](want)
    np.testing.assert_array_equal(out, want)


def test_threads_that_wait_for_ever_are_an_error_that_says_where_they_are():
    with pytest.raises(DeadlockError, match="wait for each other for ever") as caught:
        run(nobody_writes, 3, (np.zeros(2, np.int32),))
    line = nobody_writes.py_func.__code__.co_firstlineno + 3
    assert f"9 threads are at line {line}" in caught.value.saw
    assert "3 blocks in flight" in caught.value.saw


def test_different_barriers_are_a_divergence_that_names_both_threads():
    with pytest.raises(BarrierDivergenceError, match=r"thread \(5, 0, 0\) does not"):
        run(two_barriers, 1, (np.zeros(2, np.int32),))


def test_an_index_beyond_an_array_is_named_and_nothing_is_written():
    out = np.zeros(20, np.int32)
    with pytest.raises(OutOfBoundsError, match=r"thread \(20, 0, 0\).*index 20 is out of bounds"):
        run(beyond_after_a_wait, 1, (np.zeros(1, np.int32), out))


def test_a_lock_that_is_never_given_back_ends_by_the_time_limit():
    cuda.set_time_limit(0.2)
    try:
        with cuda.tier("irregular"), pytest.raises(StoppedError, match="threads are at line"):
            spin_lock[2, THREADS](np.ones(1, np.int32), np.zeros(1, np.int64))
    finally:
        cuda.set_time_limit(None)


def test_a_barrier_inside_recursion_is_refused_with_the_line():
    with cuda.tier("irregular"), pytest.raises(KernelSourceError, match="recursion through"):
        recursion_with_barriers[1, 8](np.zeros(1, np.int32))


def test_the_engine_chooses_it_where_regions_cannot_be_and_says_why():
    flags, out = np.zeros(9, np.int32), np.zeros(9, np.int64)
    last_to_first[9, THREADS](flags, out)
    assert out.tolist() == list(range(9))[::-1]
    assert last_to_first.last_tier == "irregular"
    assert "waits for memory that another thread writes" in last_to_first.reason
    assert "while True:" in last_to_first.generated_source()
