"""The inspector at compiled speed counts what the tracer counts."""

import importlib
import math

import numba
import numpy as np
import pytest

from workbench import cuda, inspect
from workbench.simt.errors import OutOfBoundsError

float32, int32 = numba.float32, numba.int32
module = importlib.import_module("workbench.simt.inspector.inspect")
BLOCK = 96  # three warps


@cuda.jit
def everything(a, b, bins, out):
    tile = cuda.shared.array((32, 32), float32)
    wide = cuda.shared.array(BLOCK, numba.float64)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    lane, row = t % 32, t // 32
    tile[row, lane] = a[i]
    tile[lane, row] = a[i * 2 % a.size]
    wide[t] = 1.0
    cuda.syncthreads()
    total = float32(0)
    for k in range(5):
        total += b[lane, k] * tile[row, 0]
    if t % 3 == 0:
        total -= b[k, lane]
    wide[t * 7 % BLOCK] = total
    cuda.atomic.add(bins, int(a[i]) % 4, 1)
    out[i] = total / 2 if t < 40 else 0


def given():
    a = (np.arange(10 * BLOCK) * 7 % 61).astype(np.float32)
    b = np.ones((32, 40), np.float32)
    return a, b, np.zeros(4, np.int32), np.zeros(a.size, np.float32)


def facts(report):
    return {
        (one.text, one.kind): (
            one.space, one.itemsize_bytes, one.requests, round(one.active_lane_fraction, 6),
            one.bytes_asked, one.bytes_moved, one.sectors_per_request, one.bank_conflict_ways,
            one.contention,
        )
        for one in report.accesses
    }  # fmt: skip


def test_both_ways_of_counting_agree(monkeypatch):
    traced = inspect(everything[10, BLOCK], *given())
    monkeypatch.setattr(module, "TRACED_THREADS", 0)
    compiled = inspect(everything[10, BLOCK], *given())
    assert not compiled.notes
    assert facts(compiled) == facts(traced)
    assert compiled.operations == traced.operations
    assert compiled.bytes_compulsory == traced.bytes_compulsory
    assert compiled.shared_bytes == traced.shared_bytes
    assert compiled.find("b[lane, k]").sectors_per_request == 32


@cuda.jit(device=True)
def softly(x):
    return math.exp(x) / (1 + math.exp(x))


@cuda.jit(device=True)
def gathered(a, at, times):
    total = float32(0)
    for k in range(times):
        total += a[at + k] * 2
    return total


@cuda.jit
def with_device_functions(a, b, out):
    i = cuda.grid(1)
    if i + 4 < a.size:
        out[i] = softly(a[i]) + gathered(a, i, 3) + gathered(b, i * 2, 2)


def test_device_functions_are_counted_where_they_stand(monkeypatch):
    a, b = np.zeros(200, np.float32), np.ones(400, np.float32)
    traced = inspect(with_device_functions[3, 64], a, b, np.zeros_like(a))
    monkeypatch.setattr(module, "TRACED_THREADS", 0)
    compiled = inspect(with_device_functions[3, 64], a, b, np.zeros_like(a))
    assert not compiled.notes

    def totals(report):
        found = {}
        for one in report.accesses:
            key = one.text, one.kind, one.array if one.array in ("a", "b", "out") else "?"
            found[key] = one.requests, one.bytes_moved
        return found

    assert totals(compiled) == totals(traced)
    assert compiled.operations == traced.operations


@cuda.jit
def with_other_bits(a, out):
    i = cuda.grid(1)
    bits = a.view(np.int32)
    if i < bits.shape[0]:
        out[i] = bits[i, 0] != 0


def test_what_counters_cannot_describe_is_sampled_and_said_so():
    a, out = np.ones((20_000, 1), np.float32), np.zeros(20_000, np.float32)
    report = inspect(with_other_bits[157, 128], a, out)
    assert (out == 1).all()
    assert "8 of 157 blocks" in report.notes[0]
    assert report.find("bits[i, 0]").sectors_per_request == 4
    assert report.find("bits[i, 0]").requests == pytest.approx(157 * 4, rel=0.15)


@cuda.jit
def past_the_end(a):
    a[cuda.grid(1)] = 1


def test_a_large_launch_that_leaves_its_arrays_is_not_measured():
    with pytest.raises(OutOfBoundsError, match="sanitize"):
        inspect(past_the_end[100, 64], np.zeros(6000, np.float32))


@cuda.jit
def lanes_that_skip_turns(a, first, out):
    t = cuda.grid(1)
    total = float32(0)
    for k in range(first, -first, -2):
        if (t + k) % 3 == 0 and t + k < 64:
            total += a[t + k]
    for k in range(5):
        for j in range(3):
            if t // 8 == k and j != t % 3:
                total += a[t]
    i = 0
    while i < t % 5 + 1:
        if i != t % 3:
            total += a[i]
        i += 1
    out[t] = total


def test_lanes_that_skip_a_turn_do_not_join_the_request_of_another(monkeypatch):
    """By hand: in the nested loop lanes 8k to 8k + 7 load in turn (k, j), all of them but those
    with t % 3 == j; the warp has lanes for k = 0 to 3 (4 to 7 of them leave the loop idle), so it
    makes 4 * 3 requests, and the second warp, t = 32 to 63, those of k = 4: 3.
    """
    arguments = np.ones(128, np.float32), 20, np.zeros(64, np.float32)
    traced = inspect(lanes_that_skip_turns[2, 32], *arguments)
    monkeypatch.setattr(module, "TRACED_THREADS", 0)
    compiled = inspect(lanes_that_skip_turns[2, 32], *arguments)
    assert not compiled.notes
    assert facts(compiled) == facts(traced)
    assert compiled.find("a[t]").requests == 4 * 3 + 3


@cuda.jit
def adds_often(a, out):
    t = cuda.grid(1)
    for k in range(a.size):
        if a[k] > 0:
            cuda.atomic.add(out, t, 1)


def test_a_launch_that_is_counted_twice_is_run_once():
    a, out = np.ones(5000, np.float32), np.zeros(5120, np.int32)
    report = inspect(adds_often[40, 128], a, out)
    assert "more than 4096 times" in report.notes[0]
    assert (out == 5000).all()
