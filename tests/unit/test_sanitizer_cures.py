"""The cure of a racing update is the atomic that a learner can write down."""

import numpy as np
import pytest

from workbench import cuda, sanitize
from workbench.simt.sanitizer.updates import atomic_for


@pytest.mark.parametrize(
    ("line", "atomic"),
    [
        ("out[v] += 1", "cuda.atomic.add(out, v, 1)"),
        ("bins[v[i], 0] -= a[i] * 2", "cuda.atomic.sub(bins, (v[i], 0), a[i] * 2)"),
        ("if i < n: flags[0] |= 4", "cuda.atomic.or_(flags, 0, 4)"),
        ("out[0] = out[0] + x", "cuda.atomic.add(out, 0, x)"),
        ("out[0] = x + out[0]", "cuda.atomic.add(out, 0, x)"),
        ("out[i + 1] = max(out[i + 1], x)", "cuda.atomic.max(out, i + 1, x)"),
        ("out[0] = x - out[0]", None),
        ("out[0] *= x", None),
        ("out[0] = out[1] + x", None),
        ("out[0] = x", None),
        ("total += x", None),
        ("if i < n:", None),
        ("out[0] = (out[0] +", None),
    ],
)
def test_an_update_has_an_atomic_of_its_own(line, atomic):
    assert atomic_for(line) == atomic


@cuda.jit
def plain_counts(v, bins):
    i = cuda.grid(1)
    if i < v.size:
        bins[v[i]] += 1


@pytest.mark.parametrize("tier", ["traced", "compiled"])
def test_the_cure_of_plain_increments_names_the_atomic_add(tier):
    v, bins = np.arange(200) % 8, np.zeros(8, np.int32)
    (found,) = sanitize(plain_counts[4, 64], v, bins, tier=tier)
    assert "cuda.atomic.add(bins, v[i], 1)" in found.cure


def cure_of(launch, *arguments):
    return sanitize(launch, *arguments)[0].cure


@cuda.jit
def compares_then_writes(v, out):
    i = cuda.grid(1)
    if v[i] > out[0]:
        out[0] = v[i]


@cuda.jit
def keeps_the_least(v, out):
    i = cuda.grid(1)
    if out[0] >= v[i]:
        out[0] = v[i]


def test_comparing_and_then_writing_is_an_atomic_extremum():
    v = np.arange(64, dtype=np.float32)
    assert "cuda.atomic.max(out, 0, v[i])" in cure_of(compares_then_writes[2, 32], v, v[:1].copy())
    assert "cuda.atomic.min(out, 0, v[i])" in cure_of(keeps_the_least[2, 32], v, v[9:].copy())


def test_no_atomic_is_advised_where_the_hardware_has_none():
    v, bins = np.arange(200) % 8, np.zeros(8, np.uint8)
    assert "not on uint8" in cure_of(plain_counts[4, 64], v, bins)


@cuda.jit
def reads_without_waiting_again(a, out):
    s = cuda.shared.array(64, np.float32)
    t = cuda.threadIdx.x
    for step in range(2):
        s[t] = a[t] + step
        cuda.syncthreads()
        out[t] = s[63 - t]


@cuda.jit
def smooths_in_place(a, out):
    i = cuda.threadIdx.x
    if i > 0:
        out[i] = out[i - 1] + a[i]


def test_a_barrier_that_is_there_is_not_advised_again():
    a = np.ones(64, np.float32)
    cure = cure_of(reads_without_waiting_again[1, 64], a, a.copy())
    assert "before the loop comes back" in cure
    assert "only read, into a local variable" in cure_of(smooths_in_place[1, 64], a, a.copy())


@cuda.jit
def reaches_one_row_too_far(a, out):
    x, y = cuda.grid(2)
    if x < a.shape[1]:
        out[y, x] = a[y + 1, x]


@cuda.jit
def writes_through_a_slice(a, out):
    t = cuda.threadIdx.x
    tail = out[4:]
    tail[t] = a[t]
    out[0] = a[t]


def test_the_guard_that_is_advised_is_written_with_the_learners_own_index():
    a = np.ones((4, 8), np.float32)
    cure = cure_of(reaches_one_row_too_far[1, (8, 4)], a, a.copy())
    assert "`if y + 1 < a.shape[0]:`" in cure


def test_an_element_is_called_as_its_line_writes_it_and_counted_in_the_whole_array():
    out = np.zeros(36, np.float32)
    found = sanitize(writes_through_a_slice[1, 40], np.ones(40, np.float32), out)
    outside = next(one for one in found if one.kind == "out of bounds")
    assert "writes tail[32]" in outside.message
    assert outside.array == "out"
