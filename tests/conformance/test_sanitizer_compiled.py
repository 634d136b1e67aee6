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
def views(a, out):
    part = a[2:]
    out[cuda.grid(1)] = part[cuda.grid(1)]


def test_what_shadow_memory_cannot_describe_is_traced_and_said_so():
    a, out = np.zeros(66, np.float32), np.zeros(64, np.float32)
    with pytest.raises(InputError, match="slice"):
        sanitize(views[1, 64], a, out, tier="compiled")
    found = sanitize(views[1, 64], a, out)
    assert not found
    assert "traced" in found.how


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
