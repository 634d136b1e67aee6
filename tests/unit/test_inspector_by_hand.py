"""Access patterns worked out by hand: every field that the inspector reports of them."""

import numba
import numpy as np
import pytest

from workbench import cuda, inspect

float32, float64, int8 = numba.float32, numba.float64, numba.int8


@cuda.jit
def global_reads(a, how, stride, out):
    t = cuda.threadIdx.x
    if how == 0:
        out[t] = a[t * stride]
    elif how == 1:
        out[t] = a[a.size - 1 - t]
    elif how == 2:
        out[t] = a[0]
    elif how == 3 and t % 2 == 0:
        out[t] = a[t]


def read(how, stride=1, threads=32, dtype=np.float32, size=512):
    a, out = np.zeros(size, dtype), np.zeros(threads, dtype)
    report = inspect(global_reads[1, threads], a, how, stride, out)
    (found,) = (one for one in report.accesses if one.array == "a")
    return found


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        # requests, sectors a request, bytes asked, bytes moved, lanes on
        (read(0), (1, 4, 128, 128, 1.0)),
        (read(0, stride=3), (1, 12, 128, 384, 1.0)),  # 384 bytes, every sector of them
        (read(0, stride=9), (1, 32, 128, 1024, 1.0)),
        (read(0, dtype=np.float64), (1, 8, 256, 256, 1.0)),
        (read(0, dtype=np.float64, stride=2), (1, 16, 256, 512, 1.0)),
        (read(0, dtype=np.int8), (1, 1, 32, 32, 1.0)),
        (read(0, dtype=np.int8, stride=16), (1, 16, 32, 512, 1.0)),  # two lanes a sector
        (read(1), (1, 4, 128, 128, 1.0)),  # backwards is as good as forwards
        (read(1, size=509), (1, 5, 128, 160, 1.0)),  # 128 bytes that end inside a sector
        (read(2), (1, 1, 128, 32, 1.0)),  # one element for all lanes
        (read(3), (1, 4, 64, 128, 0.5)),  # every second lane is off, no sector is saved
        (read(0, threads=48), (2, 3, 192, 192, 1.0)),  # warps of 32 and 16 lanes: 4 and 2 sectors
    ],
)
def test_a_global_read_is_counted_as_by_hand(pattern, expected):
    found = (pattern.requests, pattern.sectors_per_request, pattern.bytes_asked,
             pattern.bytes_moved, pattern.active_lane_fraction)  # fmt: skip
    assert found == expected


@cuda.jit
def two_dimensions(a, out):
    x, y = cuda.grid(2)
    if x < a.shape[1] and y < a.shape[0]:
        out[y, x] = a[y, x]


@pytest.mark.parametrize(
    ("block", "shape", "requests", "sectors"),
    [
        ((8, 4), (4, 64), 1, 4),  # four rows of 32 bytes, each a sector
        ((8, 4), (4, 9), 1, 5),  # rows begin at 0, 36, 72 and 108: sectors 0, 12, 23 and 34
        ((16, 16), (16, 64), 8, 4),  # a warp is two rows of 64 bytes
        ((16, 16), (16, 33), 8, 5.75),  # three sectors a row, two where it begins at a sector
        ((4, 8), (8, 64), 1, 8),  # eight rows of half a sector
    ],
)
def test_a_warp_of_a_two_dimensional_block_is_some_rows(block, shape, requests, sectors):
    a = np.zeros(shape, np.float32)
    grid = (1, 1) if shape[1] < 64 else (-(-8 // block[0]), 1)
    found = inspect(two_dimensions[(1, grid[1]), block], a, a.copy()).find("a[y, x]")
    assert (found.requests, found.sectors_per_request) == (requests, sectors)


PARTICLE = np.dtype([("x", np.float32), ("y", np.float32), ("z", np.float32)])


@cuda.jit
def array_of_structs(p, out):
    i = cuda.grid(1)
    out[i] = p[i].y


@cuda.jit
def struct_of_arrays(x, y, z, out):
    i = cuda.grid(1)
    out[i] = y[i]


def test_an_array_of_structs_moves_what_nobody_asked_for():
    x = np.zeros(64, np.float32)
    report = inspect(array_of_structs[2, 32], np.zeros(64, PARTICLE), x)
    (structs,) = (one for one in report.accesses if one.array == "p")
    arrays = inspect(struct_of_arrays[2, 32], x, x, x, x.copy()).find("y[i]")
    assert (structs.sectors_per_request, structs.bytes_asked, structs.bytes_moved) == (12, 256, 768)
    assert (arrays.sectors_per_request, arrays.bytes_asked, arrays.bytes_moved) == (4, 256, 256)


@cuda.jit
def shared_floats(stride, out):
    s = cuda.shared.array(1100, float32)
    t = cuda.threadIdx.x
    s[t * stride] = t
    cuda.syncthreads()
    out[t] = s[t * stride]


@cuda.jit
def shared_doubles(stride, out):
    s = cuda.shared.array(1100, float64)
    t = cuda.threadIdx.x
    s[t * stride] = t
    cuda.syncthreads()
    out[t] = s[t * stride]


@cuda.jit
def shared_bytes(stride, out):
    s = cuda.shared.array(4100, int8)
    t = cuda.threadIdx.x
    s[t * stride] = t
    cuda.syncthreads()
    out[t] = s[t * stride]


@pytest.mark.parametrize(
    ("kernel", "stride", "ways"),
    [
        (shared_floats, 0, 1),  # one word for all: a broadcast
        *((shared_floats, n, w) for n, w in ((1, 1), (2, 2), (3, 1), (4, 4), (32, 32), (33, 1))),
        *((shared_doubles, n, w) for n, w in ((1, 1), (2, 2), (16, 16))),  # half a warp a turn
        *((shared_bytes, n, w) for n, w in ((1, 1), (4, 1), (8, 2), (128, 32))),
    ],
)
def test_a_strided_shared_access_takes_as_many_turns_as_by_hand(kernel, stride, ways):
    report = inspect(kernel[1, 32], stride, np.zeros(32))
    for access in (one for one in report.accesses if one.space == "shared"):
        assert (access.bank_conflict_ways, access.bank_conflict_ways_mean) == (ways, ways)


@cuda.jit
def counts(groups, out):
    cuda.atomic.add(out, cuda.threadIdx.x % groups, 1)


@pytest.mark.parametrize(("groups", "lanes", "sectors"), [(1, 32, 1), (4, 8, 1), (32, 1, 4)])
def test_lanes_that_want_one_element_of_an_atomic_stand_in_line(groups, lanes, sectors):
    (found,) = inspect(counts[2, 64], groups, np.zeros(32, np.int32)).accesses
    assert (found.contention, found.sectors_per_request, found.requests) == (lanes, sectors, 4)


@cuda.jit
def saxpy(a, x, y, out):
    i = cuda.grid(1)
    out[i] = a * x[i] + y[i]


@pytest.mark.parametrize(
    ("threads", "registers", "fraction", "limiter"),
    [
        (1024, None, 1.0, "warps"),  # 2 blocks of 32 warps
        (96, None, 63 / 64, "warps"),  # 21 blocks of 3
        (32, None, 0.5, "blocks"),  # no more than 32 blocks
        (256, 64, 0.5, "registers"),  # 65,536 / (64 * 256) = 4 blocks of 8
        (256, 255, 0.125, "registers"),  # 256 after rounding: one block of 8
    ],
)
def test_occupancy_is_what_fits_by_hand(threads, registers, fraction, limiter):
    x = np.zeros(1024, np.float32)
    report = inspect(
        saxpy[1, threads], np.float32(2), x, x, x.copy(), gpu="nvidia_h100", registers=registers
    )
    assert (report.occupancy.fraction, report.occupancy.limiter) == (fraction, limiter)


def test_intensity_and_the_roof_above_it_are_what_they_are_by_hand():
    x = np.zeros(64, np.float32)
    report = inspect(saxpy[2, 32], np.float32(2), x, x.copy(), x.copy(), gpu="nvidia_h100")
    assert report.operation_count == 2 * 64
    assert report.bytes_compulsory == 3 * 64 * 4
    assert report.intensity == pytest.approx(1 / 6)
    assert report.roofline_point[1] == pytest.approx(3350 / 6, rel=1e-3)  # GB/s of its memory
