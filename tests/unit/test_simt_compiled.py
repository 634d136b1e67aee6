"""The compiled tier: barriers anywhere, safe indices, and the same answers as step by step."""

import importlib.util
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import float32, int32

from workbench import cuda
from workbench.errors import InputError, StoppedError
from workbench.simt.errors import (
    BarrierDivergenceError,
    KernelError,
    KernelTypingError,
    OutOfBoundsError,
)

TILE = 4


def _measured_kernels():
    """Load the kernels that the benchmarks measure: what is measured is also checked."""
    path = Path(__file__).parents[1] / "benchmarks" / "simt_kernels.py"
    spec = importlib.util.spec_from_file_location("simt_kernels", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_matmul = _measured_kernels().tiled_matmul(TILE)


@cuda.jit
def _early_return(a, out):
    tile = cuda.shared.array(32, int32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    tile[t] = 0
    cuda.syncthreads()
    if i >= a.size:
        return
    tile[t] = a[i]
    cuda.syncthreads()
    total = 0
    for k in range(t, -1, -1):
        if tile[k] < 0:
            break
        total += tile[k]
    out[i] = total


@cuda.jit
def _divergent_loop(a, out):
    i = cuda.grid(1)
    value = a[i]
    steps = 0
    while value != 1:
        value = value // 2 if value % 2 == 0 else 3 * value + 1
        steps += 1
        if cuda.any_sync(0xFFFFFFFF, steps > 40):
            break
    out[i] = steps + cuda.shfl_xor_sync(0xFFFFFFFF, steps, 1)


@cuda.jit
def _gather(source, index, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = source[index[i]]


@cuda.jit
def _half_waits(out):
    if cuda.threadIdx.x < 2:
        cuda.syncthreads()
        out[0] = 1
    else:
        while out[0] == 0:
            cuda.syncthreads()


@cuda.jit
def _endless(out):
    i = 0
    while True:
        i += 1
        if i < 0:
            break
    out[0] = i


@cuda.jit
def _no_such_type(a):
    x = a
    if cuda.threadIdx.x > 1:
        x = 1
    a[0] = x


def _both(kernel, grid, block, *args):
    """Run on every tier and return the arrays of the compiled one and of the step-through one."""
    results = {}
    for name in ("lockstep", "compiled", "step-through"):
        copies = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
        with cuda.tier(name):
            kernel[grid, block](*copies)
        assert kernel.last_tier == name
        results[name] = copies
    for together, alone in zip(results["lockstep"], results["compiled"], strict=True):
        np.testing.assert_array_equal(together, alone)
    return results["compiled"], results["step-through"]


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_a_tiled_matmul_agrees_on_every_tier_at_odd_sizes(n, k, m, seed):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, k), dtype=np.float32)
    b = rng.standard_normal((k, m), dtype=np.float32)
    c = np.zeros((n, m), np.float32)
    grid = (-(-m // TILE), -(-n // TILE))
    compiled, stepped = _both(_matmul, grid, (TILE, TILE), a, b, c)
    np.testing.assert_allclose(compiled[2], a @ b, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(compiled[2], stepped[2])


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 96), st.integers(0, 1000))
def test_threads_that_return_early_do_not_disturb_the_others(n, seed):
    a = np.random.default_rng(seed).integers(-3, 9, n).astype(np.int32)
    compiled, stepped = _both(_early_return, 3, 32, a, np.zeros(n, np.int64))
    np.testing.assert_array_equal(compiled[1], stepped[1])


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000))
def test_a_warp_vote_inside_a_divergent_loop_agrees_on_every_tier(seed):
    a = np.random.default_rng(seed).integers(1, 30, 64).astype(np.int64)
    a[:] = a[0]
    compiled, stepped = _both(_divergent_loop, 2, 32, a, np.zeros(64, np.int64))
    np.testing.assert_array_equal(compiled[1], stepped[1])


@pytest.mark.parametrize("bad", [8, 10**12, -9])
def test_an_index_from_memory_that_is_outside_names_thread_index_and_line(bad):
    source, out = np.arange(8, dtype=np.float32), np.zeros(5, np.float32)
    index = np.array([0, 1, 7, bad, 2])
    with cuda.tier("compiled"), pytest.raises(OutOfBoundsError) as caught:
        _gather[1, 32](source, index, out)
    assert "thread (3, 0, 0) of block (0, 0, 0)" in caught.value.saw
    assert f"index {bad} is out of bounds for axis 0 with size 8" in caught.value.saw


def test_a_negative_index_wraps_as_it_does_on_a_gpu():
    source, out = np.arange(8, dtype=np.float32), np.zeros(1, np.float32)
    with cuda.tier("compiled"):
        _gather[1, 32](source, np.array([-1]), out)
    assert out[0] == 7


def test_a_barrier_that_only_some_threads_reach_is_reported():
    with cuda.tier("compiled"), pytest.raises(BarrierDivergenceError, match="thread"):
        _half_waits[1, 4](np.zeros(1, np.int32))


def test_a_type_that_does_not_unify_is_refused():
    with pytest.raises(KernelTypingError, match="unify"):
        _no_such_type[1, 4](np.zeros(4))


def test_an_endless_kernel_ends_at_its_time_limit():
    cuda.set_time_limit(0.3)
    try:
        with pytest.raises(StoppedError, match=r"more than 0\.3 s"):
            _endless[1, 1](np.zeros(1, np.int64))
    finally:
        cuda.set_time_limit(None)


def test_ctrl_c_ends_an_endless_kernel():
    import _thread

    _endless_warm = np.zeros(1, np.int64)
    cuda.set_time_limit(0.01)
    with pytest.raises(StoppedError):
        _endless[1, 1](_endless_warm)
    cuda.set_time_limit(20)
    threading.Timer(0.2, _thread.interrupt_main).start()
    started = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            _endless[1, 1](np.zeros(1, np.int64))
    finally:
        cuda.set_time_limit(None)
    assert time.perf_counter() - started < 1.5


@cuda.jit(device=True)
def _factorial(n):
    if n <= 1:
        return 1
    return n * _factorial(n - 1)


@cuda.jit
def _factorials(out):
    i = cuda.grid(1)
    out[i] = _factorial(i)


@cuda.jit(device=True)
def _bottomless(n):
    if n < 0:
        return 1
    return 1 + _bottomless(n + 1)


@cuda.jit
def _falls(out):
    out[0] = _bottomless(1)


@cuda.jit
def _handshake(flag, out):
    if cuda.threadIdx.x == 0:
        while flag[0] == 0:
            pass
        out[0] = 7
    else:
        flag[0] = 1


def test_a_device_function_may_call_itself():
    out = np.zeros(8, np.int64)
    with cuda.tier("compiled"):
        _factorials[1, 8](out)
    assert list(out) == [1, 1, 2, 6, 24, 120, 720, 5040]


def test_recursion_without_end_is_an_error_and_not_the_end_of_the_process():
    with cuda.tier("compiled"), pytest.raises(KernelError, match="called itself without end"):
        _falls[1, 1](np.zeros(1, np.int64))


def test_a_thread_that_waits_for_another_goes_to_the_irregular_tier():
    flag, out = np.zeros(1, np.int32), np.zeros(1, np.int32)
    _handshake[1, 2](flag, out)
    assert out[0] == 7
    assert _handshake.last_tier == "irregular"
    assert "another thread writes" in _handshake.reason


def test_an_array_larger_than_the_memory_is_refused_before_it_is_taken():
    with pytest.raises(InputError, match="more memory than there is"):
        cuda.device_array(10**13)


@cuda.jit("void(int32[:], int32)")
def _leading_zeros(out, value):
    out[0] = cuda.clz(value)


def test_a_declared_signature_gives_numbers_their_type():
    out = np.zeros(1, np.int32)
    _leading_zeros[1, 1](out, 0x00100000)
    assert out[0] == 11


@cuda.jit
def _assigns_its_parameter(out, n):
    t = cuda.grid(1)
    n = n + 1
    out[t] = n


@cuda.jit
def _sets_a_name_twice(out):
    n = 5
    t = cuda.grid(1)
    n = n + 1
    out[t] = n


@cuda.jit
def _halves_its_parameter(out, n):
    t = cuda.threadIdx.x
    tile = cuda.shared.array(32, float32)
    tile[t] = 1
    cuda.syncthreads()
    n = n // 2
    while n > 0:
        if t < n:
            tile[t] += tile[t + n]
        cuda.syncthreads()
        n = n // 2
    if t == 0:
        out[cuda.blockIdx.x] = tile[0]


def test_a_name_that_threads_set_again_is_every_threads_own():
    out = np.zeros(8, np.int32)
    _assigns_its_parameter[2, 4](out, 32)
    assert (out == 33).all()
    _sets_a_name_twice[2, 4](out)
    assert (out == 6).all()
    sums = np.zeros(4, np.float32)
    with cuda.tier("compiled"):
        _halves_its_parameter[4, 32](sums, 32)
    assert (sums == 32).all()


@cuda.jit
def _publishes_what_all_know(out, value):
    t = cuda.threadIdx.x
    value = cuda.shfl_sync(0xFFFFFFFF, value, 0)
    out[t] = value + cuda.syncthreads_count(1) + cuda.ballot_sync(0xFFFFFFFF, True)


def test_operands_of_meetings_may_be_the_same_in_every_thread():
    out = np.zeros(32, np.int64)
    _publishes_what_all_know[1, 32](out, 5)
    assert (out == 5 + 32 + 0xFFFFFFFF).all()


@cuda.jit(device=True)
def _third_multiple(x):
    table = cuda.local.array(4, float32)
    for k in range(4):
        table[k] = x * k
    return table[3]


@cuda.jit
def _calls_one_with_an_array(out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = _third_multiple(i)


def test_a_device_function_may_have_a_local_array():
    out = np.zeros(50, np.float32)
    with cuda.tier("compiled"):
        _calls_one_with_an_array[2, 32](out)
    assert (out == 3 * np.arange(50)).all()


@cuda.jit
def _few(out, k):
    t = cuda.threadIdx.x
    out[t] = 0
    cuda.syncthreads()
    if t < k:
        out[t] += 1
    cuda.syncthreads()
    if k <= t:
        out[t] += 2
    cuda.syncthreads()
    if t == k and out[t] == 2:
        out[t] += 4
    cuda.syncthreads()
    if k - 1 >= t:
        out[t] += 8
    cuda.syncthreads()
    if t == 3:
        out[t] += 16


@settings(max_examples=15, deadline=None)
@given(st.integers(-40, 80))
def test_loops_over_the_threads_that_a_guard_names_leave_none_out(k):
    compiled, stepped = _both(_few, 1, 32, np.zeros(32, np.int64), k)
    np.testing.assert_array_equal(compiled[0], stepped[0])


@cuda.jit
def _counts(counter, total):
    for _ in range(200):
        cuda.atomic.add(counter, 0, 1)
        cuda.atomic.add(total, 0, 0.5)


def test_launches_from_several_python_threads_lose_no_atomic():
    counter, total = np.zeros(1, np.int64), np.zeros(1)
    _counts.compile(counter, total, block=64)

    def launches():
        for _ in range(20):
            _counts[16, 64](counter, total)

    threads = [threading.Thread(target=launches) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert counter[0] == 3 * 20 * 16 * 64 * 200
    assert total[0] == counter[0] / 2


@cuda.jit
def _row_chosen_by_memory(a, out):
    t = cuda.threadIdx.x
    row = a[a[t, 0]]
    a[t, 0] = 0
    cuda.syncthreads()
    out[t] = row[1]


def test_a_view_that_memory_chose_stays_where_it_was_when_memory_changes():
    for tier in ("auto", "auto", "step-through"):
        a = np.arange(12).reshape(4, 3)
        a[:, 0] = [3, 2, 1, 0]
        out = np.zeros(4, np.int64)
        with cuda.tier(tier):
            _row_chosen_by_memory[1, 4](a, out)
        assert out.tolist() == [10, 7, 4, 1]
