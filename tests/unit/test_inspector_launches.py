"""The inspector on whole launches, against values derived by hand."""

import numba
import numpy as np
import pytest

from workbench import cuda, inspect
from workbench.errors import InputError
from workbench.simt.errors import KernelTypingError, OutOfBoundsError

float32, int32 = numba.float32, numba.int32


@cuda.jit
def copy_with_stride(a, out, stride):
    i = cuda.grid(1)
    out[i] = a[i * stride]


@pytest.mark.parametrize(("stride", "sectors"), [(1, 4), (2, 8), (8, 32), (64, 32)])
def test_sectors_per_request_grow_with_the_stride(stride, sectors):
    a = np.zeros(64 * 64, np.float32)
    report = inspect(copy_with_stride[1, 64], a, np.zeros(64, np.float32), stride)
    assert report.find("a[i * stride]").sectors_per_request == sectors
    assert report.find("out[i]").sectors_per_request == 4
    assert report.find("a[i * stride]").bytes_moved == 2 * sectors * 32
    assert report.find("a[i * stride]").bytes_asked == 256


@cuda.jit
def transpose_unpadded(a, out):
    tile = cuda.shared.array((32, 32), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = a[y, x]
    cuda.syncthreads()
    out[y, x] = tile[x, y]


@cuda.jit
def transpose_padded(a, out):
    tile = cuda.shared.array((32, 33), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = a[y, x]
    cuda.syncthreads()
    out[y, x] = tile[x, y]


@pytest.mark.parametrize(("kernel", "ways"), [(transpose_unpadded, 32), (transpose_padded, 1)])
def test_padding_removes_the_bank_conflicts_of_a_transpose(kernel, ways):
    a = np.arange(1024, dtype=np.float32).reshape(32, 32)
    out = np.zeros_like(a)
    report = inspect(kernel[1, (32, 32)], a, out)
    assert (out == a.T).all()
    assert report.find("tile[x, y]").bank_conflict_ways == ways
    assert report.find("tile[y, x]").bank_conflict_ways == 1
    assert report.shared_bytes == 32 * (32 if ways == 32 else 33) * 4


@cuda.jit
def walk(matrix, out, by_column):
    t = cuda.threadIdx.x
    total = float32(0)
    for k in range(4):
        if by_column:
            total += matrix[t, k]
        else:
            total += matrix[k, t]
    out[t] = total


def test_a_thread_for_each_row_walks_columns():
    matrix, out = np.ones((32, 32), np.float32), np.zeros(32, np.float32)
    report = inspect(walk[1, 32], matrix, out, True)
    assert report.find("matrix[t, k]").sectors_per_request == 32
    assert report.find("matrix[t, k]").requests == 4
    report = inspect(walk[1, 32], matrix, out, False)
    assert report.find("matrix[k, t]").sectors_per_request == 4
    assert report.operation_count == 4 * 32


@cuda.jit
def uneven_loop(a, out):
    t = cuda.threadIdx.x
    for outer in range(2):
        for k in range(t // 16 + 1):
            out[t] += a[k]
        a[outer + 40] = 0


def test_lanes_meet_again_after_a_loop_of_uneven_length():
    a, out = np.ones(64, np.float32), np.zeros(32, np.float32)
    report = inspect(uneven_loop[1, 32], a, out)
    found = report.find("a[k]")
    assert found.requests == 4  # two trips, twice
    assert found.active_lane_fraction == 0.75
    assert report.find("a[outer + 40]").requests == 2
    assert report.find("a[outer + 40]").active_lane_fraction == 1.0


@cuda.jit
def count(a, bins, counter):
    t = cuda.threadIdx.x
    cuda.atomic.add(bins, a[t], 1)
    cuda.atomic.add(counter, 0, 1)


def test_contention_of_atomics():
    a = (np.arange(32) % 8).astype(np.int32)
    report = inspect(count[1, 32], a, np.zeros(8, np.int32), np.zeros(1, np.int32))
    assert report.find("bins[a[t]]").contention == 4
    assert report.find("counter[0]").contention == 32


@cuda.jit
def saxpy(a, x, y, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a * x[i] + y[i]


def test_intensity_and_roofline_of_saxpy():
    x = np.ones(256, np.float32)
    report = inspect(saxpy[2, 128], np.float32(2), x, x.copy(), x.copy())
    assert report.operation_count == 2 * 256
    assert report.bytes_compulsory == 3 * 4 * 256
    assert report.intensity == pytest.approx(1 / 6)
    _, low, high = report.roofline_point
    assert low == high == pytest.approx(1e3 * 3.35 / 6)


@cuda.jit
def doubled_in_place(x, count):
    i = cuda.grid(1)
    if i < x.size:
        x[i] = 2 * x[i]
    cuda.atomic.add(count, 0, 1)


def test_what_is_changed_in_place_is_read_and_written():
    x = np.ones(256, np.float32)
    report = inspect(doubled_in_place[2, 128], x, np.zeros(1, np.int32))
    assert report.bytes_compulsory == 2 * 4 * 256 + 2 * 32


def test_a_partial_warp_is_not_counted_as_lanes_that_are_off():
    x = np.ones(40, np.float32)
    report = inspect(saxpy[1, 40], np.float32(2), x, x.copy(), x.copy())
    assert report.find("x[i]").active_lane_fraction == 1.0


@cuda.jit
def compare_as_text(a, out):
    i = cuda.grid(1)
    if a[i] < 3 and "<b>" != "":
        out[i] = a[i]


def test_the_report_prints_and_escapes():
    a = np.ones(32, np.float32)
    report = inspect(compare_as_text[1, 32], a, a.copy())
    assert "sectors/request" in str(report)
    assert "modelled" in str(report)
    assert "<script" not in report._repr_html_()
    assert report.as_json()["accesses"][0]["sectors_per_request"] == 4


def test_only_a_configured_kernel_can_be_inspected():
    with pytest.raises(InputError, match="configured"):
        inspect(saxpy, np.ones(3))


def test_a_kernel_that_leaves_its_arrays_is_not_measured():
    with pytest.raises(OutOfBoundsError, match="sanitize"):
        inspect(copy_with_stride[1, 64], np.zeros(8, np.float32), np.zeros(8, np.float32), 1)


@pytest.mark.parametrize("wrong", [None, np.float32(1)])
def test_an_argument_that_is_no_array_is_named_by_line_and_thread(wrong):
    with pytest.raises(KernelTypingError, match=r"thread \(0, 0, 0\).* at line \d+"):
        inspect(saxpy[1, 4], np.float32(2), wrong, wrong, np.ones(4, np.float32))
