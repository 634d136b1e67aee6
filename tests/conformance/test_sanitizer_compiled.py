"""The sanitizer at compiled speed says what the tracer says."""

import numba
import numpy as np
import pytest

from workbench import cuda, sanitize
from workbench.errors import InputError
from workbench.simt.sanitizer import FoundError, sanitizing

float32, int32 = numba.float32, numba.int32
BLOCK = 64


@cuda.jit
def sums_right(a, out):
    s = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    s[t] = a[i] if i < a.size else 0
    cuda.syncthreads()
    k = BLOCK // 2
    while k > 0:
        if t < k:
            s[t] += s[t + k]
        cuda.syncthreads()
        k //= 2
    if t == 0:
        cuda.atomic.add(out, 0, s[0])


@cuda.jit
def full_of_faults(a, out, mine):
    s = cuda.shared.array((2, BLOCK), float32)
    own = cuda.local.array(2, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    if i < a.size:
        s[0, t] = a[i]
    out[1] += s[0, BLOCK - 1 - t]
    own[0] = s[1, 0]
    mine[i] = own[1]
    cuda.atomic.add(out, 2, 1)
    out[3] = out[2]
    a[i - 1] = 5
    mine[i + 1] = 1


def summary(findings):
    return {(str(one.kind), one.array, tuple(sorted(one.lines))) for one in findings}


def many():
    return np.arange(1000, dtype=np.float32)


def test_a_correct_kernel_raises_no_alarm_and_computes():
    out = np.zeros(1, np.float32)
    found = sanitize(sums_right[100, BLOCK], many(), out, tier="compiled")
    assert not found
    assert "compiled" in found.how
    assert out[0] == many().sum()


def test_both_tiers_find_the_same_faults():
    traced, compiled = (
        summary(
            sanitize(
                full_of_faults[20, BLOCK],
                many(),
                np.zeros(4, np.float32),
                np.zeros(20 * BLOCK, np.float32),
                tier=tier,
            )
        )
        for tier in ("traced", "compiled")
    )
    kinds = {kind for kind, _, _ in compiled}
    assert kinds == {
        "race",
        "uninitialised read",
        "atomic mixed with plain access",
        "out of bounds",
        "negative index",
    }
    assert compiled == traced


@cuda.jit
def bits(a, out):
    part = a[2:].view(np.int32)
    out[cuda.grid(1)] = part[cuda.grid(1)]


def test_what_shadow_memory_cannot_describe_is_traced_and_said_so():
    a, out = np.zeros(66, np.float32), np.zeros(64, np.float32)
    with pytest.raises(InputError, match="part is another name"):
        sanitize(bits[1, 64], a, out, tier="compiled")
    found = sanitize(bits[1, 64], a, out)
    assert not found
    assert "traced" in found.how


@cuda.jit(device=True)
def tree_sum(values, t, waits):
    k = BLOCK // 2
    while k > 0:
        if t < k:
            values[t] += values[t + k]
        if waits:
            cuda.syncthreads()
        k //= 2


@cuda.jit(device=True)
def put(where, at, value):
    where[at] = value


@cuda.jit
def sums_with_device_functions(a, b, out, waits):
    s = cuda.shared.array(BLOCK, float32)
    u = cuda.shared.array(BLOCK, float32)
    t, i = cuda.threadIdx.x, cuda.grid(1)
    put(s, t, a[i])
    put(u, t, b[i])
    cuda.syncthreads()
    tree_sum(s, t, True)
    tree_sum(u, t, waits)
    if t == 0:
        put(out, cuda.blockIdx.x, s[0] - u[0])


def test_arrays_that_device_functions_touch_are_watched_under_the_callers_names():
    a, b = np.ones(100 * BLOCK, np.float32), np.ones(100 * BLOCK, np.float32)
    out = np.full(100, -1, np.float32)
    launch = sums_with_device_functions[100, BLOCK]
    found = sanitize(launch, a, b, out, True)
    assert not found
    assert "compiled" in found.how
    assert (out == 0).all()
    found = sanitize(launch, a, b, out, False, tier="compiled")
    assert {one.array for one in found} == {"u"}
    assert any("values[t + k]" in party.text for one in found for party in one.threads)


LAST = """
def last_block_sums(a, partial, count, out):
    s = cuda.shared.array(1, int32)
    t, b = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        {early}
    cuda.syncthreads()
    if t == 0:
        partial[b] = a[b]
        {late}
        s[0] = cuda.atomic.add(count, 0, 1)
    cuda.syncthreads()
    if s[0] == cuda.gridDim.x - 1 and t == 0:
        total = float32(0)
        for k in range(cuda.gridDim.x):
            total += partial[k]
        out[0] = total
"""


def last_block(tmp_path, early, late):
    path = tmp_path / "last_block.py"
    path.write_text(LAST.format(early=early, late=late))
    names = {"cuda": cuda, "float32": float32, "int32": int32}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return cuda.jit(names["last_block_sums"])


@pytest.mark.parametrize(
    ("early", "late", "clean"),
    [
        ("pass", "cuda.threadfence()", True),
        ("pass", "pass", False),
        ("cuda.threadfence()", "pass", False),
    ],
)
def test_a_fence_and_an_atomic_order_what_blocks_did_before(tmp_path, early, late, clean):
    kernel = last_block(tmp_path, early, late)
    a, partial = np.ones(200, np.float32), np.zeros(200, np.float32)
    for tier, blocks in (("traced", 20), ("compiled", 200)):
        count, out = np.zeros(1, np.int32), np.zeros(1, np.float32)
        found = sanitize(kernel[blocks, 64], a, partial, count, out, tier=tier)
        assert out[0] == blocks
        assert [one.array for one in found] == ([] if clean else ["partial"]), tier


@cuda.jit
def past_the_end(a):
    a[cuda.grid(1)] = 1


def test_the_switch_sanitizes_every_launch_and_ends_with_its_block():
    a = np.zeros(3, np.float32)
    with sanitizing(), pytest.raises(FoundError, match="out of bounds"):
        past_the_end[1, 4](a)
    with sanitizing(check=False) as watch:
        past_the_end[1, 4](a)
        past_the_end[1, 3](a)
    assert [len(one) for one in watch.found] == [1]
    past_the_end[1, 3](a)
    assert past_the_end.last_tier in ("lockstep", "compiled")


@pytest.mark.parametrize("wrong", [past_the_end, None, 3])
def test_only_a_configured_kernel_can_be_sanitized(wrong):
    with pytest.raises(InputError, match="configured"):
        sanitize(wrong, np.zeros(3))


def test_orders_and_tiers_that_do_not_exist_are_refused():
    with pytest.raises(InputError, match="order"):
        sanitize(past_the_end[1, 3], np.zeros(3), orders=0)
    with pytest.raises(InputError, match="tier"):
        sanitize(past_the_end[1, 3], np.zeros(3), tier="fast")


@cuda.jit(device=True)
def scratch_sum(value):
    s = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    s[t] = value
    cuda.syncthreads()
    total = float32(0)
    for k in range(BLOCK):
        total += s[k]
    return total


@cuda.jit
def two_sums_in_one_scratch(a, out):
    t = cuda.threadIdx.x
    out[t] = scratch_sum(a[t]) + scratch_sum(a[t] * a[t])


@pytest.mark.parametrize("tier", ["traced", "compiled"])
def test_the_shared_array_of_a_device_function_is_one_for_all_its_calls(tier):
    arguments = np.arange(BLOCK, dtype=np.float32), np.zeros(BLOCK, np.float32)
    (found,) = sanitize(two_sums_in_one_scratch[1, BLOCK], *arguments, tier=tier)
    assert (found.kind, found.array) == ("race", "s")
    assert {party.text for party in found.threads} == {"s[t] = value", "total += s[k]"}


PAIR = np.dtype([("x", np.float32), ("y", np.float32)], align=True)
pair_type = numba.from_dtype(PAIR)


@cuda.jit
def records_in_shared_memory(a, out):
    s = cuda.shared.array(BLOCK, pair_type)
    i, t = cuda.grid(1), cuda.threadIdx.x
    s[t].x = a[i]
    s[t].y = 2 * a[i]
    cuda.syncthreads()
    out[i] = s[BLOCK - 1 - t].y


def test_a_large_launch_with_records_in_shared_memory_is_traced():
    a = np.ones(100 * BLOCK, np.float32)
    found = sanitize(records_in_shared_memory[100, BLOCK], a, np.zeros_like(a))
    assert not found
    assert "traced" in found.how
