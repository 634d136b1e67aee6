"""Mistakes of first lessons: halos, edges, tiles, sorting, sparse rows."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 64
float32, int32 = numba.float32, numba.int32
vector = ramp_and_zeros(N)


def convolution_arguments():
    return np.arange(100, dtype=np.float32), np.ones(5, np.float32), np.zeros(100, np.float32)


@cuda.jit
def convolution_with_short_halo(a, k, out):
    s = cuda.shared.array(N + 4, float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    s[t] = a[i] if i < a.size else float32(0)
    if t < 2:
        j = i + N
        s[t + N] = a[j] if j < a.size else float32(0)
    cuda.syncthreads()
    total = float32(0)
    for n in range(k.size):
        total += s[t + n] * k[n]  # fault
    if i < out.size:
        out[i] = total


@cuda.jit
def convolution_with_whole_halo(a, k, out):
    s = cuda.shared.array(N + 4, float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    s[t] = a[i] if i < a.size else float32(0)
    if t < 4:
        j = i + N
        s[t + N] = a[j] if j < a.size else float32(0)
    cuda.syncthreads()
    total = float32(0)
    for n in range(k.size):
        total += s[t + n] * k[n]
    if i < out.size:
        out[i] = total


def four_tiles():
    return np.arange(4 * N, dtype=np.float32), np.zeros(N, np.float32)


@cuda.jit
def double_buffer_without_last_barrier(a, out):
    s = cuda.shared.array((2, N), float32)
    t = cuda.threadIdx.x
    total = float32(0)
    s[0, t] = a[t]
    cuda.syncthreads()
    for step in range(4):
        now, then = step % 2, (step + 1) % 2
        if step < 3:
            s[then, t] = a[(step + 1) * N + t]  # fault
        total += s[now, N - 1 - t]  # fault
    out[t] = total


@cuda.jit
def double_buffer(a, out):
    s = cuda.shared.array((2, N), float32)
    t = cuda.threadIdx.x
    total = float32(0)
    s[0, t] = a[t]
    cuda.syncthreads()
    for step in range(4):
        now, then = step % 2, (step + 1) % 2
        if step < 3:
            s[then, t] = a[(step + 1) * N + t]
        total += s[now, N - 1 - t]
        cuda.syncthreads()
    out[t] = total


def three_rows():
    return np.arange(3 * N, dtype=np.float32).reshape(3, N), np.zeros((3, N), np.float32)


@cuda.jit
def scalar_reused_without_barrier(a, out):
    top = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    for row in range(3):
        if t == 0:
            top[0] = a[row, 0]  # fault
        cuda.syncthreads()
        out[row, t] = a[row, t] - top[0]  # fault


@cuda.jit
def scalar_reused_after_barrier(a, out):
    top = cuda.shared.array(1, float32)
    t = cuda.threadIdx.x
    for row in range(3):
        if t == 0:
            top[0] = a[row, 0]
        cuda.syncthreads()
        out[row, t] = a[row, t] - top[0]
        cuda.syncthreads()


def volume():
    return np.arange(64, dtype=np.float32).reshape(4, 4, 4), np.zeros((4, 4, 4), np.float32)


@cuda.jit
def volume_with_wrong_linear_index(a, out):
    s = cuda.shared.array(64, float32)
    x, y, z = cuda.threadIdx.x, cuda.threadIdx.y, cuda.threadIdx.z
    place = x + y * 4 + z * 4
    s[place] = a[z, y, x]  # fault
    cuda.syncthreads()
    out[z, y, x] = s[place]


@cuda.jit
def volume_with_right_linear_index(a, out):
    s = cuda.shared.array(64, float32)
    x, y, z = cuda.threadIdx.x, cuda.threadIdx.y, cuda.threadIdx.z
    place = x + y * 4 + z * 16
    s[place] = a[z, y, x]
    cuda.syncthreads()
    out[z, y, x] = s[place]


def picture():
    return np.arange(63, dtype=np.float32).reshape(7, 9), np.zeros((7, 9), np.float32)


@cuda.jit
def blur_reads_past_the_edge(image, out):
    x, y = cuda.grid(2)
    if x < image.shape[1] and y < image.shape[0]:
        total = float32(0)
        for dy in range(2):
            for dx in range(2):
                total += image[y + dy, x + dx]  # fault
        out[y, x] = total


@cuda.jit
def blur_stays_inside(image, out):
    x, y = cuda.grid(2)
    if x < image.shape[1] and y < image.shape[0]:
        total = float32(0)
        for dy in range(2):
            for dx in range(2):
                if y + dy < image.shape[0] and x + dx < image.shape[1]:
                    total += image[y + dy, x + dx]
        out[y, x] = total


@cuda.jit
def stencil_wraps_on_the_left(a, out):
    i = cuda.grid(1)
    if i < a.size - 1:
        out[i] = a[i - 1] - 2 * a[i] + a[i + 1]  # fault


@cuda.jit
def stencil_leaves_the_edges(a, out):
    i = cuda.grid(1)
    if 0 < i < a.size - 1:
        out[i] = a[i - 1] - 2 * a[i] + a[i + 1]


def digits_arguments():
    return np.arange(4 * N, dtype=np.int32), np.zeros(4, np.int32)


@cuda.jit
def private_bins_not_cleared(a, out):
    bins = cuda.local.array(4, int32)
    t = cuda.grid(1)
    for k in range(4):
        bins[int(a[t * 4 + k]) % 4] += 1  # fault
    for k in range(4):
        cuda.atomic.add(out, k, bins[k])  # fault


@cuda.jit
def private_bins_cleared(a, out):
    bins = cuda.local.array(4, int32)
    t = cuda.grid(1)
    for k in range(4):
        bins[k] = 0
    for k in range(4):
        bins[int(a[t * 4 + k]) % 4] += 1
    for k in range(4):
        cuda.atomic.add(out, k, bins[k])


@cuda.jit
def maximum_by_compare_and_write(a, out):
    i = cuda.grid(1)
    if a[i] > out[0]:  # fault
        out[0] = a[i]  # fault


@cuda.jit
def maximum_by_atomic(a, out):
    i = cuda.grid(1)
    cuda.atomic.max(out, 0, a[i])


@cuda.jit
def stride_of_a_block_only(a, out):
    i = cuda.grid(1)
    while i < a.size:
        out[i] += a[i]  # fault
        i += cuda.blockDim.x


@cuda.jit
def stride_of_the_grid(a, out):
    i = cuda.grid(1)
    while i < a.size:
        out[i] += a[i]
        i += cuda.gridsize(1)


def shuffled():
    return (np.random.default_rng(0).permutation(N).astype(np.float32),)


@cuda.jit
def sort_with_barrier_inside(a):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    k = 2
    while k <= N:
        j = k // 2
        while j > 0:
            other = t ^ j
            if other > t:
                up = (t & k) == 0
                if (s[t] > s[other]) == up:
                    s[t], s[other] = s[other], s[t]
                cuda.syncthreads()  # fault
            j //= 2
        k *= 2
    a[t] = s[t]


@cuda.jit
def sort_with_barrier_outside(a):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    k = 2
    while k <= N:
        j = k // 2
        while j > 0:
            other = t ^ j
            if other > t:
                up = (t & k) == 0
                if (s[t] > s[other]) == up:
                    s[t], s[other] = s[other], s[t]
            cuda.syncthreads()
            j //= 2
        k *= 2
    a[t] = s[t]


def sparse():
    ptr = np.array([0, 2, 3, 6, 8], np.int32)
    idx = np.array([0, 3, 1, 0, 2, 3, 1, 2], np.int32)
    return ptr, idx, np.ones(8, np.float32), np.ones(4, np.float32), np.zeros(4, np.float32)


@cuda.jit
def row_end_after_the_last(ptr, idx, val, x, y):
    i = cuda.grid(1)
    if i < ptr.size:
        total = float32(0)
        for k in range(ptr[i], ptr[i + 1]):  # fault
            total += val[k] * x[idx[k]]
        if i < y.size:
            y[i] = total


@cuda.jit
def row_end_of_each(ptr, idx, val, x, y):
    i = cuda.grid(1)
    if i < ptr.size - 1:
        total = float32(0)
        for k in range(ptr[i], ptr[i + 1]):
            total += val[k] * x[idx[k]]
        y[i] = total


def line_of_sixty():
    return (np.arange(60, dtype=np.float32),)


def line_of_sixty_and_another():
    return *line_of_sixty(), np.zeros(60, np.float32)


@cuda.jit
def jacobi_in_place(a):
    i = cuda.grid(1)
    if 0 < i < a.size - 1:
        a[i] = 0.5 * (a[i - 1] + a[i + 1])  # fault


@cuda.jit
def jacobi_into_another(a, b):
    i = cuda.grid(1)
    if 0 < i < a.size - 1:
        b[i] = 0.5 * (a[i - 1] + a[i + 1])


PAIRS = [
    (
        "uninitialised read",
        convolution_with_short_halo,
        convolution_with_whole_halo,
        (2, N),
        convolution_arguments,
    ),
    ("race", double_buffer_without_last_barrier, double_buffer, (1, N), four_tiles),
    ("race", scalar_reused_without_barrier, scalar_reused_after_barrier, (1, N), three_rows),
    (
        "race",
        volume_with_wrong_linear_index,
        volume_with_right_linear_index,
        (1, (4, 4, 4)),
        volume,
    ),
    ("out of bounds", blur_reads_past_the_edge, blur_stays_inside, ((2, 1), (8, 8)), picture),
    (
        "negative index",
        stencil_wraps_on_the_left,
        stencil_leaves_the_edges,
        (1, N),
        vector,
        None,
        "warning",
    ),
    (
        "uninitialised read",
        private_bins_not_cleared,
        private_bins_cleared,
        (1, N),
        digits_arguments,
    ),
    ("race", maximum_by_compare_and_write, maximum_by_atomic, (2, 32), vector),
    ("race", stride_of_a_block_only, stride_of_the_grid, (2, 32), vector),
    ("barrier divergence", sort_with_barrier_inside, sort_with_barrier_outside, (1, N), shuffled),
    ("out of bounds", row_end_after_the_last, row_end_of_each, (1, 8), sparse),
    (
        "race",
        jacobi_in_place,
        jacobi_into_another,
        (2, 32),
        line_of_sixty,
        line_of_sixty_and_another,
    ),
]
