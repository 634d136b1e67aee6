"""The lockstep tier: an answer at once, the types of the compiled tier, and memory put back."""

import _thread
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import float32, int32

from workbench import cuda
from workbench.errors import StoppedError
from workbench.simt.errors import (
    BarrierDivergenceError,
    KernelSourceError,
    LaunchConfigError,
    OutOfBoundsError,
)
from workbench.simt.host import engines


def _scaled():
    """Return a kernel that nobody has launched yet."""

    @cuda.jit
    def scale(a, factor):
        i = cuda.grid(1)
        if i < a.size:
            a[i] = a[i] * factor

    return scale


def test_a_first_small_launch_answers_in_lockstep_and_the_second_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    kernel, a = _scaled(), np.ones(100, np.float32)
    kernel[4, 32](a, 2)
    assert kernel.last_tier == "lockstep"
    assert "first launch" in kernel.reason
    kernel[4, 32](a, 2)
    assert kernel.last_tier == "compiled"
    assert (a == 4).all()


def test_a_first_large_launch_is_compiled(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    kernel, a = _scaled(), np.ones(10_240, np.float32)
    kernel[40, 256](a, 2)
    assert kernel.last_tier == "compiled"


def test_a_kernel_that_is_compiled_beforehand_never_runs_in_lockstep(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    kernel, a = _scaled(), np.ones(100, np.float32)
    kernel.compile(a, 2, block=32)
    started = time.perf_counter()
    kernel[4, 32](a, 2)
    assert kernel.last_tier == "compiled"
    assert time.perf_counter() - started < 0.2


def test_machine_code_on_disk_is_loaded_rather_than_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path))
    first, second = _scaled(), _scaled()
    first.compile(np.ones(100, np.float32), 2, block=32)
    second[4, 32](np.ones(100, np.float32), 2)
    assert second.last_tier == "compiled"


@cuda.jit
def _long(out):
    i = cuda.grid(1)
    out[i] += 1
    total = 0
    for k in range(400_000):
        total += k
    out[i] += total


def test_what_would_take_longer_than_the_compiler_is_undone_and_compiled():
    out = np.zeros(2, np.int64)
    _long[1, 2](out)
    assert _long.last_tier == "compiled"
    assert (out == 1 + sum(range(400_000))).all()


@cuda.jit
def _writes_then_prints(out):
    out[0] += 1
    print(out[0])


def test_a_kernel_that_lockstep_refuses_says_so_and_leaves_memory_alone():
    out = np.zeros(1, np.int64)
    with cuda.tier("lockstep"), pytest.raises(KernelSourceError, match="print"):
        _writes_then_prints[1, 1](out)
    assert out[0] == 0


@cuda.jit
def _gather(source, index, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = source[index[i]]


@pytest.mark.parametrize("bad", [8, -9])
def test_an_index_outside_is_reported_in_the_words_of_the_compiled_tier(bad):
    said = []
    for tier in ("lockstep", "compiled"):
        source, out = np.arange(8, dtype=np.float32), np.zeros(5, np.float32)
        with cuda.tier(tier), pytest.raises(OutOfBoundsError) as caught:
            _gather[1, 32](source, np.array([0, 1, 7, bad, 2]), out)
        said.append(caught.value.saw)
    assert said[0] == said[1]


@cuda.jit
def _half_waits(out):
    if cuda.threadIdx.x < 2:
        cuda.syncthreads()
    out[0] = 1


def test_a_barrier_that_only_some_threads_reach_is_reported():
    said = []
    for tier in ("lockstep", "compiled"):
        with cuda.tier(tier), pytest.raises(BarrierDivergenceError) as caught:
            _half_waits[1, 4](np.zeros(1, np.int32))
        said.append(caught.value.saw)
    assert said[0] == said[1]


@cuda.jit
def _endless(out):
    while True:
        out[0] += 1


def test_a_time_limit_ends_it():
    cuda.set_time_limit(0.1)
    try:
        with cuda.tier("lockstep"), pytest.raises(StoppedError):
            _endless[1, 1](np.zeros(1))
    finally:
        cuda.set_time_limit(None)


@cuda.jit
def _too_much(out):
    a = cuda.shared.array((64, 1024), float32)
    out[0] = a[0, 0]


def test_more_shared_memory_than_a_block_has_is_refused():
    with cuda.tier("lockstep"), pytest.raises(LaunchConfigError, match="shared memory"):
        _too_much[1, 1](np.zeros(1, np.float32))


@cuda.jit
def _operators(a, b, out):
    i = cuda.grid(1)
    x, y = a[i], b[i]
    out[i, 0] = x + y
    out[i, 1] = x - y
    out[i, 2] = x * y
    out[i, 3] = x / y
    out[i, 4] = x // y
    out[i, 5] = x % y
    out[i, 6] = x**2
    out[i, 7] = min(x, y) + max(x, 3)
    out[i, 8] = -x
    out[i, 9] = x * 0.1
    out[i, 10] = x if x < y else y
    total = x
    for k in range(3):
        total += y * k
    out[i, 11] = total


@pytest.mark.parametrize(
    ("first", "second"),
    [("uint8", "int16"), ("int8", "float32"), ("int32", "int32"), ("int32", "float32")],
)
def test_operators_have_the_types_that_the_compiled_tier_infers(first, second):
    rng = np.random.default_rng(7)
    a, b = (rng.integers(1, 100, 32).astype(kind) for kind in (first, second))
    results = []
    for tier in ("lockstep", "compiled"):
        out = np.zeros((32, 12))
        with cuda.tier(tier):
            _operators[1, 32](a, b, out)
        results.append(out)
    np.testing.assert_array_equal(*results)


@cuda.jit
def _escapes(a, out):
    i = cuda.grid(1)
    if i >= a.size:
        return
    total = int32(0)
    for k in range(i, a.size):
        if a[k] < 0:
            break
        if a[k] % 2 == 0:
            continue
        total += a[k]
        while total > 50:
            total -= 7
            if total % 5 == 0:
                out[i] = -total
                return
    out[i] = total


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 90), st.integers(0, 1000))
def test_threads_that_leave_loops_on_their_own_ways_agree_with_the_compiled_tier(n, seed):
    a = np.random.default_rng(seed).integers(-2, 60, n).astype(np.int32)
    results = []
    for tier in ("lockstep", "compiled"):
        out = np.zeros(n, np.int64)
        with cuda.tier(tier):
            _escapes[3, 32](a, out)
        results.append(out)
    np.testing.assert_array_equal(*results)


@cuda.jit
def _places(counter, order, last):
    i = cuda.grid(1)
    mine = cuda.atomic.add(counter, 0, 1)
    order[mine] = i
    cuda.atomic.max(last, i % 3, i)


def test_an_atomic_gives_every_thread_a_place_of_its_own():
    counter, order, last = np.zeros(1, np.int32), np.full(200, -1), np.zeros(3, np.int64)
    with cuda.tier("lockstep"):
        _places[5, 40](counter, order, last)
    assert sorted(order) == list(range(200))
    assert list(last) == [198, 199, 197]


@cuda.jit
def _two_steps(a, b):
    grid = cuda.cg.this_grid()
    i = cuda.grid(1)
    a[i] = i
    grid.sync()
    b[i] = a[a.size - 1 - i]


def test_a_barrier_over_the_whole_grid_costs_nothing_here():
    a, b = np.zeros(4096, np.int64), np.zeros(4096, np.int64)
    with cuda.tier("lockstep"):
        _two_steps[16, 256](a, b)
    assert (b == np.arange(4096)[::-1]).all()


@cuda.jit
def _halves(a, b, out):
    i = cuda.grid(1)
    if i < a.size:
        out[i] = cuda.fp16.hfma(a[i], b[i], a[i]) + a[i]


def test_half_precision_runs_together_and_rounds_as_step_by_step():
    rng = np.random.default_rng(1)
    a, b = (rng.random(100).astype(np.float16) for _ in range(2))
    results = []
    for tier in ("auto", "step-through"):
        out = np.zeros(100, np.float16)
        with cuda.tier(tier):
            _halves[4, 32](a, b, out)
        results.append(out)
    again = np.zeros(100, np.float16)
    _halves[4, 32](a, b, again)
    assert _halves.last_tier == "compiled"
    np.testing.assert_array_equal(again, results[0])
    np.testing.assert_array_equal(*results)


def test_ctrl_c_ends_an_endless_kernel_in_lockstep():
    threading.Timer(0.2, _thread.interrupt_main).start()
    cuda.set_time_limit(20)
    started = time.perf_counter()
    try:
        with cuda.tier("lockstep"), pytest.raises(KeyboardInterrupt):
            _endless[1, 64](np.zeros(1))
    finally:
        cuda.set_time_limit(None)
    assert time.perf_counter() - started < 1.2


def test_without_a_driver_the_engine_is_our_own_and_numbas_is_not_asked(monkeypatch):
    monkeypatch.setitem(engines._CHOSEN, "engine", "")
    monkeypatch.setattr(engines, "_DRIVERS", ("no-such-driver.so",))
    monkeypatch.setattr(engines, "_real_cuda", lambda: pytest.fail("asked"))
    assert cuda.engine() == "simt"


def test_with_a_usable_gpu_the_engine_is_numbas(monkeypatch):
    monkeypatch.setitem(engines._CHOSEN, "engine", "")
    monkeypatch.setattr(engines, "_loads", lambda library: True)
    monkeypatch.setattr(engines, "_real_cuda", lambda: object())
    assert cuda.engine() == "gpu"


@cuda.jit(debug=True)
def _divides(a, out):
    i = cuda.grid(1)
    out[i] = 1 / a[i]


def test_a_division_by_zero_in_debug_mode_names_its_thread():
    a = np.array([1.0, 2.0, 0.0, 4.0])
    with pytest.raises(ZeroDivisionError, match=r"tid=\[0, 0, 0\] ctaid=\[1, 0, 0\]"):
        _divides[2, 2](a, np.zeros(4))


@cuda.jit
def _raises(a):
    i = cuda.grid(1)
    if a[i] < 0:
        raise ValueError("negative")
    assert a[i] != 5, "five"


@pytest.mark.parametrize(("bad", "kind"), [(-1, ValueError), (5, AssertionError)])
def test_an_exception_in_a_kernel_names_its_thread(bad, kind):
    a = np.zeros(64, np.int64)
    a[35] = bad
    with pytest.raises(kind, match=r"tid=\[3, 0, 0\] ctaid=\[1, 0, 0\]: (negative|five)"):
        _raises[2, 32](a)


@cuda.jit
def _vectors(out):
    i = cuda.grid(1)
    pair = cuda.float32x2(i, 1)
    if i % 2 == 0:
        pair = cuda.float32x2(pair.y, pair.x)
    four = cuda.float4(pair, pair)
    out[i] = four.x + 10 * four.w


def test_vector_types_are_the_same_in_lockstep_and_compiled():
    results = []
    for tier in ("lockstep", "compiled"):
        out = np.zeros(32, np.float32)
        with cuda.tier(tier):
            _vectors[1, 32](out)
        results.append(out)
    np.testing.assert_array_equal(*results)


class _Doubles:
    """An extension, as Numba's kernels take them."""

    def __init__(self):
        self.after = []

    def prepare_args(self, kind, value, stream, retr):
        retr.append(lambda: self.after.append("launched"))
        return kind, value * 2


def test_extensions_change_arguments_and_run_after_the_launch():
    kernel, extension = _scaled(), _Doubles()
    kernel.extensions.append(extension)
    a = np.ones(4, np.float32)
    kernel[1, 4](a, 3)
    assert (a == 1).all()
    assert extension.after == ["launched", "launched"]
    kernel.extensions.clear()
    kernel[1, 4](cuda.In(a), 3)
    assert (a == 1).all()


@cuda.jit
def _votes(mask, out):
    out[0] = cuda.all_sync(mask[0], out[0])


def test_a_vote_with_a_mask_that_is_no_whole_number_is_refused():
    with pytest.raises(TypeError, match="Mask type must be an integer"):
        _votes.compile(np.ones(1, np.float32), np.ones(1, np.int32), block=32)
    with pytest.raises(TypeError, match="Predicate must be an integer"):
        cuda.jit("void(int32[:], float32[:])")(_votes.py_func)


@cuda.jit
def _adds(a):
    cuda.atomic.add(a, cuda.grid(1), 1)


@pytest.mark.parametrize("kernel", [_scaled(), _adds])
def test_a_kernel_that_would_change_a_read_only_array_is_refused(kernel):
    a = np.ones(4)
    a.flags.writeable = False
    args = (a, 2) if kernel is not _adds else (a,)
    with pytest.raises(TypeError, match="readonly"):
        kernel[1, 4](*args)
    assert (a == 1).all()
