"""Data races in global memory, within a block and between blocks, and what repairs them."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 128
float32, int32 = numba.float32, numba.int32
vector = ramp_and_zeros(N)


def counters():
    return np.arange(N, dtype=np.float32), np.zeros(4, np.float32), np.zeros(4, np.int32)


@cuda.jit
def smooth_in_place(a, out):
    i = cuda.grid(1)
    if i + 1 < a.size:
        a[i] = (a[i] + a[i + 1]) / 2  # fault


@cuda.jit
def smooth(a, out):
    i = cuda.grid(1)
    if i + 1 < a.size:
        out[i] = (a[i] + a[i + 1]) / 2


@cuda.jit
def plain_sum(a, out, state):
    i = cuda.grid(1)
    out[0] += a[i]  # fault


@cuda.jit
def atomic_sum(a, out, state):
    i = cuda.grid(1)
    cuda.atomic.add(out, 0, a[i])


@cuda.jit
def block_reads_its_neighbours_result(a, out):
    b, t = cuda.blockIdx.x, cuda.threadIdx.x
    out[b * 32 + t] = 2 * a[b * 32 + t]  # fault
    cuda.syncthreads()
    if b > 0 and t == 0:
        a[b] = out[b * 32 - 1]  # fault


@cuda.jit
def block_reads_its_own_result(a, out):
    b, t = cuda.blockIdx.x, cuda.threadIdx.x
    out[b * 32 + t] = 2 * a[b * 32 + t]
    cuda.syncthreads()
    if t == 0:
        a[b * 32] = out[b * 32 + 31]


@cuda.jit
def grids_overlap(a, out):
    i = cuda.blockIdx.x * (cuda.blockDim.x - 1) + cuda.threadIdx.x
    if i < a.size:
        out[i] = a[i] + cuda.blockIdx.x  # fault


@cuda.jit
def grids_abut(a, out):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < a.size:
        out[i] = a[i] + cuda.blockIdx.x


@cuda.jit
def last_block_without_fence(a, out, state):
    last = cuda.shared.array(1, int32)
    t, b = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        out[b] = a[b + 1]  # fault
        last[0] = cuda.atomic.add(state, 0, 1)
    cuda.syncthreads()
    if last[0] == cuda.gridDim.x - 1 and t == 0:
        total = float32(0)
        for k in range(cuda.gridDim.x):
            total += out[k]  # fault
        a[0] = total


@cuda.jit
def last_block_with_fence(a, out, state):
    last = cuda.shared.array(1, int32)
    t, b = cuda.threadIdx.x, cuda.blockIdx.x
    if t == 0:
        out[b] = a[b + 1]
        cuda.threadfence()
        last[0] = cuda.atomic.add(state, 0, 1)
    cuda.syncthreads()
    if last[0] == cuda.gridDim.x - 1 and t == 0:
        total = float32(0)
        for k in range(cuda.gridDim.x):
            total += out[k]
        a[0] = total


@cuda.jit
def lock_without_fences(a, out, state):
    if cuda.threadIdx.x == 0:
        while cuda.atomic.cas(state, 0, 0, 1) != 0:
            pass
        out[0] += 1  # fault
        cuda.atomic.exch(state, 0, 0)


@cuda.jit
def lock_with_fences(a, out, state):
    if cuda.threadIdx.x == 0:
        while cuda.atomic.cas(state, 0, 0, 1) != 0:
            pass
        cuda.threadfence()
        out[0] += 1
        cuda.threadfence()
        cuda.atomic.exch(state, 0, 0)


@cuda.jit
def two_phases_without_grid_barrier(a, out):
    i = cuda.grid(1)
    out[i] = a[i]  # fault
    cuda.syncthreads()
    a[i] = out[N - 1 - i]  # fault


@cuda.jit
def two_phases_with_grid_barrier(a, out):
    grid = cuda.cg.this_grid()
    i = cuda.grid(1)
    out[i] = a[i]
    grid.sync()
    a[i] = out[N - 1 - i]


@cuda.jit
def shift(source, destination):
    i = cuda.grid(1)
    if i + 1 < source.size:
        destination[i] = source[i + 1]  # fault


def one_array_twice():
    a = np.arange(N, dtype=np.float32)
    return a, a


@cuda.jit
def every_thread_writes_two(a, out):
    i = cuda.grid(1)
    if 2 * i + 2 < out.size:
        out[2 * i] = a[i]  # fault
        out[2 * i + 2] = -a[i]  # fault


@cuda.jit
def every_thread_writes_its_two(a, out):
    i = cuda.grid(1)
    if 2 * i + 1 < out.size:
        out[2 * i] = a[i]
        out[2 * i + 1] = -a[i]


@cuda.jit
def fence_taken_for_a_barrier(a, out):
    i = cuda.grid(1)
    out[i] = a[i]  # fault
    cuda.threadfence()
    a[i] = out[(i + 40) % N]  # fault


@cuda.jit
def barrier_after_the_write(a, out):
    i = cuda.grid(1)
    out[i] = a[i]
    cuda.syncthreads()
    a[i] = out[(i + 40) % N]


@cuda.jit
def column_sums_by_rows(m, out):
    row = cuda.grid(1)
    if row < m.shape[0]:
        for column in range(m.shape[1]):
            out[column] += m[row, column]  # fault


@cuda.jit
def column_sums_by_columns(m, out):
    column = cuda.grid(1)
    if column < m.shape[1]:
        for row in range(m.shape[0]):
            out[column] += m[row, column]


def matrix():
    return np.arange(64 * 64, dtype=np.float32).reshape(64, 64) % 7, np.zeros(64, np.float32)


@cuda.jit
def counter_read_while_others_add(a, out, state):
    i = cuda.grid(1)
    cuda.atomic.add(state, 0, 1)  # fault
    out[i % 4] = 0 * a[i]  # fault
    if i == 64:
        a[0] = state[0]  # fault


@cuda.jit
def counter_read_atomically(a, out, state):
    i = cuda.grid(1)
    cuda.atomic.add(state, 0, 1)
    if i == 64:
        a[0] = cuda.atomic.add(state, 0, 0)


@cuda.jit
def plain_reset_of_an_atomic(a, out, state):
    i = cuda.grid(1)
    cuda.atomic.max(state, 1, int(a[i]))  # fault
    if i == 0:
        state[1] = 0  # fault


@cuda.jit
def reset_in_another_place(a, out, state):
    i = cuda.grid(1)
    cuda.atomic.max(state, 1, int(a[i]))
    if i == 0:
        state[2] = 0


@cuda.jit
def shared_bins_read_too_early(a, out, state):
    bins = cuda.shared.array(4, int32)
    t = cuda.threadIdx.x
    if t < 4:
        bins[t] = 0
    cuda.syncthreads()
    cuda.atomic.add(bins, int(a[t]) % 4, 1)  # fault
    if t < 4:
        state[t] = bins[t]  # fault


@cuda.jit
def shared_bins_read_after_barrier(a, out, state):
    bins = cuda.shared.array(4, int32)
    t = cuda.threadIdx.x
    if t < 4:
        bins[t] = 0
    cuda.syncthreads()
    cuda.atomic.add(bins, int(a[t]) % 4, 1)
    cuda.syncthreads()
    if t < 4:
        state[t] = bins[t]


@cuda.jit
def flag_by_plain_store(a, out, state):
    t = cuda.threadIdx.x
    if cuda.blockIdx.x == 0 and t == 0:
        out[0] = a[3]
        cuda.threadfence()
        state[0] = 1  # fault
    if cuda.blockIdx.x == 1 and t == 0:
        while state[0] == 0:  # fault
            pass
        a[0] = 1


@cuda.jit
def flag_by_atomics(a, out, state):
    t = cuda.threadIdx.x
    if cuda.blockIdx.x == 0 and t == 0:
        out[0] = a[3]
        cuda.threadfence()
        cuda.atomic.exch(state, 0, 1)
    if cuda.blockIdx.x == 1 and t == 0:
        while cuda.atomic.add(state, 0, 0) == 0:
            pass
        cuda.threadfence()
        a[0] = out[0]


MIXED = "atomic mixed with plain access"
PAIRS = [
    ("race", smooth_in_place, smooth, (2, 64), vector),
    ("race", plain_sum, atomic_sum, (2, 64), counters),
    ("race", block_reads_its_neighbours_result, block_reads_its_own_result, (4, 32), vector),
    ("race", grids_overlap, grids_abut, (4, 32), vector),
    ("race", last_block_without_fence, last_block_with_fence, (4, 32), counters),
    ("race", lock_without_fences, lock_with_fences, (4, 32), counters),
    ("race", two_phases_without_grid_barrier, two_phases_with_grid_barrier, (4, 32), vector),
    ("race", shift, shift, (2, 64), one_array_twice, vector),
    ("race", every_thread_writes_two, every_thread_writes_its_two, (2, 32), vector),
    ("race", fence_taken_for_a_barrier, barrier_after_the_write, (1, N), vector),
    ("race", column_sums_by_rows, column_sums_by_columns, (1, 64), matrix),
    ("race", flag_by_plain_store, flag_by_atomics, (2, 32), counters),
    (MIXED, counter_read_while_others_add, counter_read_atomically, (2, 64), counters),
    (MIXED, plain_reset_of_an_atomic, reset_in_another_place, (1, 64), counters),
    (MIXED, shared_bins_read_too_early, shared_bins_read_after_barrier, (1, 64), counters),
]
