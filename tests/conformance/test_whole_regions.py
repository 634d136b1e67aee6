"""Regions that are judged as a whole are judged as if every access had been watched."""

import importlib
import math
from unittest import mock

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import cuda, inspect, sanitize
from workbench.simt.compiled import build
from workbench.simt.inspector.mode import InspectorMode
from workbench.simt.sanitizer.mode import SanitizerMode

float32, float64 = numba.float32, numba.float64
SIZE = 512
inspecting = importlib.import_module("workbench.simt.inspector.inspect")


@cuda.jit
def row_of_threads(out, shift, low, high, back, waits):
    s = cuda.shared.array(SIZE, float32)
    t = cuda.threadIdx.x
    for k in range(0, SIZE, 64):
        s[k + t] = k
    cuda.syncthreads()
    if low <= t and t < high:
        s[t + shift] = t
    if waits:
        cuda.syncthreads()
    if t >= back:
        s[t] = s[t - back] + s[SIZE - 1 - t]
    cuda.syncthreads()
    out[cuda.grid(1)] = math.sqrt(abs(s[t])) + 1


def sheet_of_threads(across, down):
    @cuda.jit
    def sheet(out, shift, wide, rows):
        s = cuda.shared.array(SIZE, float64)
        x, y = cuda.threadIdx.x, cuda.threadIdx.y
        if x < wide and y < rows:
            s[x * across + y * down + shift] = x
        cuda.syncthreads()
        total = 0.0
        for k in range(3):
            total += s[y * 3 + k]
        cuda.syncthreads()
        if y == 0:
            out[x] = total

    return sheet


SHEETS = {steps: sheet_of_threads(*steps) for steps in ((1, 32), (1, 8), (6, 1))}


ROW = st.tuples(
    st.integers(0, 60), st.integers(0, 64), st.integers(0, 64),
    st.integers(0, 64), st.integers(0, 1),
)  # fmt: skip
SHEET = st.tuples(st.integers(0, 60), st.integers(0, 20), st.integers(0, 6))
STEPS = st.sampled_from(sorted(SHEETS))


def summary(findings):
    """Return what was found; stamps know the last writer only, which may be of the same warp."""
    unordered = ("race", "missing syncwarp")
    kinds = [("unordered" if str(one.kind) in unordered else str(one.kind)) for one in findings]
    return {
        (kind, one.array, tuple(sorted(one.lines)))
        for kind, one in zip(kinds, findings, strict=True)
    }


def assert_same_findings(launch, *given):
    found = [
        sanitize(launch, *[one.copy() if isinstance(one, np.ndarray) else one for one in given],
                 tier=tier, orders=1)
        for tier in ("traced", "compiled")
    ]  # fmt: skip
    assert summary(found[0]) == summary(found[1])


def facts(report):
    return [
        (one.text, one.kind, one.space, one.requests, round(one.active_lane_fraction, 6),
         one.bytes_asked, one.bytes_moved, one.bank_conflict_ways,
         round(one.bank_conflict_ways_mean, 6), one.contention)
        for one in report.accesses
    ]  # fmt: skip


def assert_same_counts(launch, *given):
    traced = inspect(launch, *given)
    with mock.patch.object(inspecting, "TRACED_THREADS", 0):
        compiled = inspect(launch, *given)
    assert not compiled.notes
    assert facts(compiled) == facts(traced)
    assert compiled.operations == traced.operations
    assert compiled.bytes_compulsory == traced.bytes_compulsory


@settings(max_examples=25, deadline=None)
@given(ROW)
def test_a_row_of_threads_is_watched_as_by_the_tracer(numbers):
    assert_same_findings(row_of_threads[2, 64], np.zeros(128, np.float32), *numbers)


@settings(max_examples=25, deadline=None)
@given(STEPS, SHEET)
def test_a_sheet_of_threads_is_watched_as_by_the_tracer(steps, numbers):
    assert_same_findings(SHEETS[steps][1, (20, 6)], np.zeros(20, np.float32), *numbers)


@settings(max_examples=25, deadline=None)
@given(ROW)
def test_a_row_of_threads_is_counted_as_by_the_tracer(numbers):
    assert_same_counts(row_of_threads[2, 64], np.zeros(128, np.float32), *numbers)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([((1, 32), (20, 6)), ((1, 8), (32, 6)), ((6, 1), (1, 40))]), SHEET)
def test_a_sheet_of_threads_is_counted_as_by_the_tracer(sheet, numbers):
    steps, block = sheet
    assert_same_counts(SHEETS[steps][1, block], np.zeros(64, np.float32), *numbers)


@cuda.jit
def in_place(x, count):
    i = cuda.grid(1)
    if i < x.size:
        x[i] = 2 * x[i]
    if i % 3 == 0:
        x[i] += 1
    if cuda.threadIdx.x == 0:
        cuda.atomic.add(count, cuda.blockIdx.x, 1)


def test_what_is_changed_in_place_is_counted_alike():
    assert_same_counts(in_place[3, 64], np.ones(192, np.float32), np.zeros(3, np.int32))


def generated(mode, kernel, kinds, block):
    return build.generate(kernel.resolved, kinds, block, mode)[0].text


@pytest.mark.parametrize(
    ("kernel", "scalars", "block"),
    [(row_of_threads, 5, (64, 1, 1)), (SHEETS[1, 32], 3, (20, 6, 1))],
)
def test_these_kernels_do_have_regions_that_run_bare(kernel, scalars, block):
    kinds = (float32[::1], *[numba.int64] * scalars)
    one_block = (True, True, True)
    watched = SanitizerMode(kernel.resolved, {"out": kinds[0].ndim}, block, one_block)
    assert "mark_write(" in generated(watched, kernel, kinds, block)
    counted = InspectorMode(kernel.resolved, {"out": kinds[0].ndim}, block[0] * block[1])
    assert "count_area(" in generated(counted, kernel, kinds, block)


@cuda.jit
def one_each(a, out):
    row, column = cuda.grid(2)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = a[row, column]
        out[row, column] += 1


@cuda.jit
def one_each_but_for_a_neighbour(a, out):
    row, column = cuda.grid(2)
    if row < out.shape[0] and column < out.shape[1]:
        out[row, column] = a[row, column]
        if row > 0:
            out[row, column] += out[row - 1, column]


def test_an_array_whose_elements_belong_to_one_thread_each_has_no_shadow():
    for kernel, watched in ((one_each, ()), (one_each_but_for_a_neighbour, ("out",))):
        mode = SanitizerMode(kernel.resolved, {"a": 2, "out": 2}, (8, 8, 1), (False, False, True))
        assert mode.watched == watched
    mode = SanitizerMode(one_each.resolved, {"a": 2, "out": 2}, (8, 8, 2), (False, False, True))
    assert mode.watched == ("out",), "two threads along z share an element"
    a = np.ones((70, 90), np.float32)
    arguments = a, np.zeros_like(a)
    assert not sanitize(one_each[(9, 12), (8, 8)], *arguments, tier="compiled")
    assert (arguments[1] == 2).all()
    found = sanitize(one_each_but_for_a_neighbour[(9, 12), (8, 8)], *arguments, tier="compiled")
    assert "race" in {str(one.kind) for one in found}
