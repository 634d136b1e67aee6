"""Data races in shared memory: each faulty kernel has one, its repaired twin has none."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 128
float32, int32 = numba.float32, numba.int32
vector = ramp_and_zeros(N)


@cuda.jit
def reverse_without_barrier(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]  # fault
    out[t] = s[N - 1 - t]  # fault


@cuda.jit
def reverse(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    out[t] = s[N - 1 - t]


@cuda.jit
def reduction_without_step_barrier(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    k = N // 2
    while k > 0:
        if t < k:
            s[t] += s[t + k]  # fault
        k //= 2
    if t == 0:
        out[0] = s[0]


@cuda.jit
def reduction(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    k = N // 2
    while k > 0:
        if t < k:
            s[t] += s[t + k]
        cuda.syncthreads()
        k //= 2
    if t == 0:
        out[0] = s[0]


@cuda.jit
def scan_with_one_barrier(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    d = 1
    while d < N:
        cuda.syncthreads()
        if t >= d:
            s[t] += s[t - d]  # fault
        d *= 2
    cuda.syncthreads()
    out[t] = s[t]


@cuda.jit
def scan(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    d = 1
    while d < N:
        cuda.syncthreads()
        left = float32(0)
        if t >= d:
            left = s[t - d]
        cuda.syncthreads()
        s[t] += left
        d *= 2
    cuda.syncthreads()
    out[t] = s[t]


@cuda.jit
def matmul_without_second_barrier(a, b, out):
    tile_a = cuda.shared.array((8, 8), float32)
    tile_b = cuda.shared.array((8, 8), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0)
    for step in range(2):
        tile_a[y, x] = a[y, step * 8 + x]  # fault
        tile_b[y, x] = b[step * 8 + y, x]  # fault
        cuda.syncthreads()
        for k in range(8):
            total += tile_a[y, k] * tile_b[k, x]  # fault
    out[y, x] = total


@cuda.jit
def matmul_with_both_barriers(a, b, out):
    tile_a = cuda.shared.array((8, 8), float32)
    tile_b = cuda.shared.array((8, 8), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    total = float32(0)
    for step in range(2):
        tile_a[y, x] = a[y, step * 8 + x]
        tile_b[y, x] = b[step * 8 + y, x]
        cuda.syncthreads()
        for k in range(8):
            total += tile_a[y, k] * tile_b[k, x]
        cuda.syncthreads()
    out[y, x] = total


def matrices():
    a = np.arange(128, dtype=np.float32)
    return a.reshape(8, 16), a.reshape(16, 8).copy(), np.zeros((8, 8), np.float32)


@cuda.jit
def histogram_with_plain_increment(a, out):
    bins = cuda.shared.array(4, int32)
    t = cuda.threadIdx.x
    if t < 4:
        bins[t] = 0
    cuda.syncthreads()
    bins[int(a[t]) % 4] += 1  # fault
    cuda.syncthreads()
    if t < 4:
        out[t] = bins[t]


@cuda.jit
def histogram(a, out):
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
def broadcast_without_barrier(a, out):
    chosen = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    if t == 0:
        chosen[0] = a[5]  # fault
    out[t] = chosen[0]  # fault


@cuda.jit
def broadcast(a, out):
    chosen = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    if t == 0:
        chosen[0] = a[5]
    cuda.syncthreads()
    out[t] = chosen[0]


@cuda.jit
def two_threads_write_one_element(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t // 2] = a[t]  # fault
    cuda.syncthreads()
    out[t] = s[t // 2]


@cuda.jit
def one_of_two_writes(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    if t % 2 == 0:
        s[t // 2] = a[t]
    cuda.syncthreads()
    out[t] = s[t // 2]


@cuda.jit
def all_write_the_same_value(a, out):
    s = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    s[0] = a[0]  # fault
    cuda.syncthreads()
    out[t] = s[0]


@cuda.jit
def one_writes_the_value(a, out):
    s = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    if t == 0:
        s[0] = a[0]
    cuda.syncthreads()
    out[t] = s[0]


@cuda.jit
def one_buffer_for_two_rounds(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    total = float32(0)
    for _ in range(2):
        s[t] = a[t] + total  # fault
        cuda.syncthreads()
        total += s[N - 1 - t]  # fault
    out[t] = total


@cuda.jit
def two_buffers_for_two_rounds(a, out):
    s = cuda.shared.array((2, N), float32)
    t = cuda.threadIdx.x
    total = float32(0)
    for step in range(2):
        s[step, t] = a[t] + total
        cuda.syncthreads()
        total += s[step, N - 1 - t]
    out[t] = total


@cuda.jit
def dynamic_arrays_overlap(a, out):
    first = cuda.shared.array(0, float32)
    second = cuda.shared.array(0, float32)
    t = cuda.threadIdx.x
    first[t] = a[t]  # fault
    second[N - 1 - t] = 2 * a[t]  # fault
    cuda.syncthreads()
    out[t] = first[t] + second[t]


@cuda.jit
def dynamic_array_is_divided(a, out):
    whole = cuda.shared.array(0, float32)
    first = whole[:N]
    second = whole[N : 2 * N]
    t = cuda.threadIdx.x
    first[t] = a[t]
    second[N - 1 - t] = 2 * a[t]
    cuda.syncthreads()
    out[t] = first[t] + second[t]


@cuda.jit(device=True)
def sum_of_neighbours(s, t):
    return s[t] + s[(t + 1) % N]  # fault


@cuda.jit(device=True)
def sum_of_neighbours_after_barrier(s, t):
    cuda.syncthreads()
    return s[t] + s[(t + 1) % N]


@cuda.jit
def device_function_reads_too_early(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    out[t] = sum_of_neighbours(s, t)


@cuda.jit
def device_function_waits(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    out[t] = sum_of_neighbours_after_barrier(s, t)


@cuda.jit
def barrier_on_the_wrong_side(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    cuda.syncthreads()
    s[t] = a[t]  # fault
    if t + 33 < N:
        out[t] = s[t + 33]  # fault


@cuda.jit
def barrier_between(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    if t + 33 < N:
        out[t] = s[t + 33]


@cuda.jit
def transpose_tile_without_barrier(a, out):
    tile = cuda.shared.array((8, 9), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = a[y, x]  # fault
    out[y, x] = tile[x, y]  # fault


@cuda.jit
def transpose_tile(a, out):
    tile = cuda.shared.array((8, 9), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    tile[y, x] = a[y, x]
    cuda.syncthreads()
    out[y, x] = tile[x, y]


def square():
    return np.arange(64, dtype=np.float32).reshape(8, 8), np.zeros((8, 8), np.float32)


PAIRS = [
    ("race", reverse_without_barrier, reverse, (1, N), vector),
    ("race", reduction_without_step_barrier, reduction, (1, N), vector),
    ("race", scan_with_one_barrier, scan, (1, N), vector),
    ("race", matmul_without_second_barrier, matmul_with_both_barriers, (1, (8, 8)), matrices),
    ("race", histogram_with_plain_increment, histogram, (1, N), vector),
    ("race", broadcast_without_barrier, broadcast, (1, N), vector),
    ("race", two_threads_write_one_element, one_of_two_writes, (1, N), vector),
    ("race", all_write_the_same_value, one_writes_the_value, (1, N), vector, None, "warning"),
    ("race", one_buffer_for_two_rounds, two_buffers_for_two_rounds, (1, N), vector),
    ("race", dynamic_arrays_overlap, dynamic_array_is_divided, (1, N, 0, 8 * N), vector),
    ("race", barrier_on_the_wrong_side, barrier_between, (1, N), vector),
    ("race", transpose_tile_without_barrier, transpose_tile, (1, (8, 8)), square),
]
