"""Slices, row views and masks of some lanes: compiled code sees what the tracer sees."""

import importlib
import math
from dataclasses import asdict

import numba
import numpy as np
import pytest

from workbench import cuda, inspect, sanitize

module = importlib.import_module("workbench.simt.inspector.inspect")
float32 = numba.float32
BLOCK = 64


@cuda.jit
def softmax_rows(x, out):
    s = cuda.shared.array(BLOCK, float32)
    t = cuda.threadIdx.x
    best = float32(-1e30)
    row = x[cuda.blockIdx.x]
    for k in range(t, row.size, BLOCK):
        best = max(best, row[k])
    s[t] = best
    cuda.syncthreads()
    half = BLOCK // 2
    while half > 0:
        if t < half:
            s[t] = max(s[t], s[t + half])
        cuda.syncthreads()
        half //= 2
    best = s[0]
    cuda.syncthreads()
    source, target = x[cuda.blockIdx.x], out[cuda.blockIdx.x]
    for k in range(t, source.size, BLOCK):
        target[k] = math.exp(source[k] - best)


@cuda.jit
def two_halves(a, out):
    s = cuda.shared.array(2 * BLOCK, float32)
    t = cuda.threadIdx.x
    low, high = s[:BLOCK], s[BLOCK:]
    i = cuda.grid(1)
    low[t] = a[i]
    high[BLOCK - 1 - t] = 2 * a[i]
    cuda.syncthreads()
    lower, upper = s[:BLOCK], s[BLOCK:]
    part = out[1:]
    if i < part.size:
        part[i] = lower[BLOCK - 1 - t] + upper[t]


@cuda.jit
def transposed_and_local(a, out):
    mine = cuda.local.array((2, 4), float32)
    x, y = cuda.grid(2)
    turned = a.T
    if x < a.shape[1] and y < a.shape[0]:
        for k in range(4):
            row = mine[k % 2]
            row[k] = turned[x, y] * k
        own = mine[0]
        out[y, x] = own[0] + own[2]


@cuda.jit
def full_of_view_faults(a, out):
    s = cuda.shared.array((2, BLOCK), float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    top, bottom = s[0], s[1]
    top[t] = a[i % a.size]
    out[i] = top[(t + 1) % BLOCK]
    out[i] += bottom[t]
    tail = out[4:]
    tail[i] = 1
    tail[i - 1] = 2


@cuda.jit
def groups_of_eight(a, out):
    s = cuda.shared.array(BLOCK, float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    group = cuda.match_any_sync(0xFFFFFFFF, t // 8)
    s[t] = a[i]
    cuda.syncwarp(group)
    k = 4
    while k > 0:
        other = s[t + k] if t % 8 < k else float32(0)
        cuda.syncwarp(group)
        s[t] += other
        cuda.syncwarp(group)
        k //= 2
    out[i] = s[t]


@cuda.jit
def groups_that_change(a, out):
    s = cuda.shared.array(BLOCK, float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    lane = t % 32
    fours = cuda.match_any_sync(0xFFFFFFFF, t // 4)
    pairs = cuda.match_any_sync(0xFFFFFFFF, t // 8 * 4 + t % 4)
    s[t] = a[i]
    cuda.syncwarp(fours)
    cuda.syncwarp(pairs)
    out[i] = s[t // 8 * 8 + (lane + 5) % 8]


@cuda.jit
def groups_too_small(a, out):
    s = cuda.shared.array(BLOCK, float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    fours = cuda.match_any_sync(0xFFFFFFFF, t // 4)
    s[t] = a[i]
    cuda.syncwarp(fours)
    out[i] = s[t // 8 * 8 + (t + 5) % 8]


@cuda.jit
def lanes_that_are_on(a, out):
    i = cuda.grid(1)
    if a[i] % 3 == 0:
        mask = cuda.activemask()
        first = cuda.ffs(mask) - 1
        out[i] = cuda.shfl_sync(mask, a[i], first)


def vectors():
    return np.arange(3 * BLOCK, dtype=np.float32), np.zeros(3 * BLOCK, np.float32)


def matrices():
    x = np.random.default_rng(0).random((7, 150), np.float32)
    return x, np.zeros_like(x)


def oblong():
    x = np.random.default_rng(0).random((18, 13), np.float32)
    return x, np.zeros_like(x)


def shorter():
    return np.arange(3 * BLOCK, dtype=np.float32), np.zeros(180, np.float32)


CLEAN = [
    (softmax_rows[7, BLOCK], matrices),
    (two_halves[3, BLOCK], shorter),
    (transposed_and_local[(2, 3), (8, 8)], oblong),
    (groups_of_eight[3, BLOCK], vectors),
    (groups_that_change[3, BLOCK], vectors),
    (lanes_that_are_on[3, BLOCK], vectors),
]
NAMES = [launch.kernel.__name__ for launch, _ in CLEAN]


def summary(findings):
    return {(str(one.kind), one.array, tuple(sorted(one.lines))) for one in findings}


@pytest.mark.parametrize(("launch", "arguments"), CLEAN, ids=NAMES)
def test_no_alarm_and_the_same_result_in_both_tiers(launch, arguments):
    traced, compiled = arguments(), arguments()
    assert not sanitize(launch, *traced, tier="traced")
    found = sanitize(launch, *compiled, tier="compiled")
    assert not found, str(found)
    np.testing.assert_array_equal(traced[1], compiled[1])


@pytest.mark.parametrize("kernel", [full_of_view_faults, groups_too_small])
def test_both_tiers_find_the_same_faults(kernel):
    launch = kernel[3, BLOCK]
    traced = sanitize(launch, *vectors(), tier="traced", orders=1)
    assert traced
    assert summary(sanitize(launch, *vectors(), tier="compiled")) == summary(traced)


@pytest.mark.parametrize(("launch", "arguments"), CLEAN[:3], ids=NAMES[:3])
def test_both_tiers_count_the_same_requests(launch, arguments, monkeypatch):
    traced = inspect(launch, *arguments())
    monkeypatch.setattr(module, "TRACED_THREADS", 0)
    compiled = inspect(launch, *arguments())
    assert not compiled.notes
    assert [asdict(one) for one in compiled.accesses] == [asdict(one) for one in traced.accesses]
    assert compiled.operations == traced.operations
    assert compiled.bytes_compulsory == traced.bytes_compulsory
