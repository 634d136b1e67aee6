"""Accesses outside an array, of values nobody wrote, and at addresses a GPU refuses."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda
from workbench.simt.host.memory import device_array, to_device

N = 100
float32, int32 = numba.float32, numba.int32
vector = ramp_and_zeros(N)


@cuda.jit
def write_without_guard(a, out):
    i = cuda.grid(1)
    out[i] = 1  # fault


@cuda.jit
def write_with_guard(a, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = 1


@cuda.jit
def read_past_the_end(a, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = a[i + 1] - a[i]  # fault


@cuda.jit
def read_up_to_the_end(a, out):
    i = cuda.grid(1)
    if i + 1 < out.size:
        out[i] = a[i + 1] - a[i]


@cuda.jit
def shared_without_room_for_the_halo(a, out):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t + 1] = a[t]  # fault
    if t == 0:
        s[0] = 0
    cuda.syncthreads()
    out[t] = s[t]


@cuda.jit
def shared_with_room_for_the_halo(a, out):
    s = cuda.shared.array(33, float32)
    t = cuda.threadIdx.x
    s[t + 1] = a[t]
    if t == 0:
        s[0] = 0
    cuda.syncthreads()
    out[t] = s[t]


@cuda.jit
def local_one_too_far(a, out):
    mine = cuda.local.array(4, float32)
    t = cuda.threadIdx.x
    for k in range(5):
        mine[k] = k  # fault
    out[t] = mine[3]


@cuda.jit
def local_to_its_end(a, out):
    mine = cuda.local.array(4, float32)
    t = cuda.threadIdx.x
    for k in range(4):
        mine[k] = k
    out[t] = mine[3]


@cuda.jit
def rows_for_columns(m, out):
    x, y = cuda.grid(2)
    if x < m.shape[0] and y < m.shape[1]:
        out[y, x] = m[y, x]  # fault


@cuda.jit
def rows_and_columns(m, out):
    x, y = cuda.grid(2)
    if y < m.shape[0] and x < m.shape[1]:
        out[y, x] = m[y, x]


def oblong():
    return np.ones((5, 9), np.float32), np.zeros((5, 9), np.float32)


@cuda.jit
def left_neighbour_of_the_first(a, out):
    t = cuda.threadIdx.x
    out[t] = a[t - 1]  # fault


@cuda.jit
def left_neighbour_but_the_first(a, out):
    t = cuda.threadIdx.x
    if t > 0:
        out[t] = a[t - 1]


@cuda.jit
def before_the_start(a, out):
    t = cuda.threadIdx.x
    out[t] = a[t - N - 1]  # fault


@cuda.jit
def from_the_start(a, out):
    t = cuda.threadIdx.x
    out[t] = a[t]


@cuda.jit
def bin_out_of_range(a, out):
    t = cuda.threadIdx.x
    cuda.atomic.add(out, int(a[t]) * 4, 1)  # fault


@cuda.jit
def bin_in_range(a, out):
    t = cuda.threadIdx.x
    cuda.atomic.add(out, int(a[t]) % N, 1)


@cuda.jit
def dynamic_memory_too_small(a, out):
    s = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    s[2 * t] = a[t]  # fault
    cuda.syncthreads()
    out[t] = s[0]


@cuda.jit
def dynamic_memory_enough(a, out):
    s = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    out[t] = s[0]


@cuda.jit
def row_beyond_the_matrix(m, out):
    t = cuda.threadIdx.x
    row = m[t]  # fault
    out[0, t] = row[0]


@cuda.jit
def row_of_the_matrix(m, out):
    t = cuda.threadIdx.x
    if t < m.shape[0]:
        row = m[t]
        out[0, t] = row[0]


@cuda.jit
def half_filled_tile(a, out):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    if t < 32:
        s[t] = a[t]
    cuda.syncthreads()
    out[t] = s[63 - t]  # fault


@cuda.jit
def filled_tile(a, out):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    s[t] = a[t] if t < 32 else float32(0)
    cuda.syncthreads()
    out[t] = s[63 - t]


@cuda.jit
def local_sum_from_nothing(a, out):
    total = cuda.local.array(1, float32)
    t = cuda.threadIdx.x
    total[0] += a[t]  # fault
    out[t] = total[0]


@cuda.jit
def local_sum_from_zero(a, out):
    total = cuda.local.array(1, float32)
    t = cuda.threadIdx.x
    total[0] = 0
    total[0] += a[t]
    out[t] = total[0]


@cuda.jit
def bins_counted_from_nothing(a, out):
    bins = cuda.shared.array(4, int32)
    t = cuda.threadIdx.x
    cuda.atomic.add(bins, int(a[t]) % 4, 1)  # fault
    cuda.syncthreads()
    if t < 4:
        out[t] = bins[t]


@cuda.jit
def bins_counted_from_zero(a, out):
    bins = cuda.shared.array(4, int32)
    t = cuda.threadIdx.x
    if t < 4:
        bins[t] = 0
    cuda.syncthreads()
    cuda.atomic.add(bins, int(a[t]) % 4, 1)
    cuda.syncthreads()
    if t < 4:
        out[t] = bins[t]


@cuda.jit
def shared_of_the_block_before(a, out):
    s = cuda.shared.array(1, float32)
    if cuda.blockIdx.x == 0:
        s[0] = 42
    else:
        out[cuda.blockIdx.x] = s[0]  # fault


@cuda.jit
def shared_of_its_own(a, out):
    s = cuda.shared.array(1, float32)
    s[0] = 42
    out[cuda.blockIdx.x] = s[0]


@cuda.jit
def sum_into_new_device_memory(a, out):
    i = cuda.grid(1)
    if i < a.size:
        out[i] += a[i]  # fault


@cuda.jit
def copy_into_new_device_memory(a, out):
    i = cuda.grid(1)
    if i < a.size:
        out[i] = a[i]


def new_device_memory():
    return np.ones(N, np.float32), device_array(N, np.float32)


@cuda.jit
def scale(a, out):
    i = cuda.grid(1)
    if i < a.size and i < out.size:
        out[i] = 2 * a[i]  # fault


def view_from_the_third_byte():
    raw = to_device(np.zeros(4 * N, np.uint8))
    return raw[3 : 3 + 4 * 64].view(np.float32), np.zeros(N, np.float32)


def view_from_the_fourth_byte():
    raw = to_device(np.zeros(4 * N, np.uint8))
    return raw[4 : 4 + 4 * 64].view(np.float32), np.zeros(N, np.float32)


@cuda.jit
def read_a_field(records, out):
    i = cuda.grid(1)
    if i < records.size:
        out[i] = records[i].weight  # fault


def _records(align):
    dtype = np.dtype([("tag", np.int8), ("weight", np.float32)], align=align)
    return np.zeros(8, dtype), np.zeros(8, np.float32)


OUT, NEW, ODD = "out of bounds", "uninitialised read", "misaligned"
PAIRS = [
    (OUT, write_without_guard, write_with_guard, (2, 64), vector),
    (OUT, read_past_the_end, read_up_to_the_end, (2, 64), vector),
    (OUT, shared_without_room_for_the_halo, shared_with_room_for_the_halo, (1, 32), vector),
    (OUT, local_one_too_far, local_to_its_end, (1, 2), vector),
    (OUT, rows_for_columns, rows_and_columns, ((1, 1), (16, 16)), oblong),
    (OUT, before_the_start, from_the_start, (1, 32), vector),
    (OUT, bin_out_of_range, bin_in_range, (1, 64), vector),
    (OUT, dynamic_memory_too_small, dynamic_memory_enough, (1, 32, 0, 128), vector),
    (OUT, row_beyond_the_matrix, row_of_the_matrix, (1, 7), oblong),
    ("negative index", left_neighbour_of_the_first, left_neighbour_but_the_first, (1, 32), vector,
     None, "warning"),
    (NEW, half_filled_tile, filled_tile, (1, 64), vector),
    (NEW, local_sum_from_nothing, local_sum_from_zero, (1, 4), vector),
    (NEW, bins_counted_from_nothing, bins_counted_from_zero, (1, 64), vector),
    (NEW, shared_of_the_block_before, shared_of_its_own, (2, 1), vector),
    (NEW, sum_into_new_device_memory, copy_into_new_device_memory, (2, 64), new_device_memory),
    (ODD, scale, scale, (2, 64), view_from_the_third_byte, view_from_the_fourth_byte),
    (ODD, read_a_field, read_a_field, (1, 8), lambda: _records(False), lambda: _records(True),
     "warning"),
]  # fmt: skip
