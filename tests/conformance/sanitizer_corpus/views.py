"""Slices, row views, bytes seen as other types, records: two names for one memory."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 64
float32, int32, complex64 = numba.float32, numba.int32, numba.complex64
PARTICLE = np.dtype([("x", np.float32), ("v", np.float32)], align=True)
cell = numba.from_dtype(PARTICLE)
vector = ramp_and_zeros(N)


@cuda.jit
def carved_with_elements_for_bytes(a, out):
    counts = cuda.shared.array(0, int32)
    values = cuda.shared.array(0, float32)[N // 2 :]
    t = cuda.threadIdx.x
    counts[t] = t  # fault
    values[t] = a[t]  # fault
    cuda.syncthreads()
    out[t] = values[N - 1 - t] + counts[t]


@cuda.jit
def carved_after_the_counts(a, out):
    counts = cuda.shared.array(0, int32)
    values = cuda.shared.array(0, float32)[N:]
    t = cuda.threadIdx.x
    counts[t] = t
    values[t] = a[t]
    cuda.syncthreads()
    out[t] = values[N - 1 - t] + counts[t]


def rows():
    return np.arange(N, dtype=np.float32), np.zeros((3, N), np.float32)


@cuda.jit
def each_thread_fills_the_whole_row(a, out):
    t = cuda.threadIdx.x
    row = out[cuda.blockIdx.x]
    for k in range(row.size):
        row[k] = a[t]  # fault


@cuda.jit
def each_thread_fills_its_place(a, out):
    t = cuda.threadIdx.x
    row = out[cuda.blockIdx.x]
    row[t] = a[t]


@cuda.jit
def halves_overlap_by_one(a, out):
    s = cuda.shared.array(N + 1, float32)
    low, high = s[: N // 2 + 1], s[N // 2 :]
    t = cuda.threadIdx.x
    if t <= N // 2:
        low[t] = a[t % N]  # fault
    if t < N // 2:
        high[t] = -a[t]  # fault
    cuda.syncthreads()
    out[t] = s[t]


@cuda.jit
def halves_abut(a, out):
    s = cuda.shared.array(N + 1, float32)
    low, high = s[: N // 2], s[N // 2 :]
    t = cuda.threadIdx.x
    if t < N // 2:
        low[t] = a[t % N]
    if t < N // 2:
        high[t] = -a[t]
    cuda.syncthreads()
    out[t] = s[t]


@cuda.jit
def scan_swapping_row_views_with_one_row(a, out):
    s = cuda.shared.array((2, N), float32)
    t = cuda.threadIdx.x
    s[0, t] = a[t]
    cuda.syncthreads()
    d = 1
    while d < N:
        now = s[0]
        then = s[0]
        value = now[t]
        if t >= d:
            value += now[t - d]  # fault
        then[t] = value  # fault
        cuda.syncthreads()
        d *= 2
    out[t] = s[0, t]


@cuda.jit
def scan_swapping_row_views(a, out):
    s = cuda.shared.array((2, N), float32)
    t = cuda.threadIdx.x
    s[0, t] = a[t]
    cuda.syncthreads()
    d = 1
    k = 0
    while d < N:
        now = s[k]
        then = s[1 - k]
        value = now[t]
        if t >= d:
            value += now[t - d]
        then[t] = value
        cuda.syncthreads()
        k = 1 - k
        d *= 2
    out[t] = s[k, t]


@cuda.jit
def doubles_in_the_middle_of_bytes(a, out):
    raw = cuda.shared.array(8 * N + 4, numba.uint8)
    values = raw[4:].view(np.float64)
    t = cuda.threadIdx.x
    values[t] = a[t]  # fault
    cuda.syncthreads()
    out[t] = values[N - 1 - t]  # fault


@cuda.jit
def doubles_at_the_start_of_bytes(a, out):
    raw = cuda.shared.array(8 * N + 4, numba.uint8)
    values = raw[: 8 * N].view(np.float64)
    t = cuda.threadIdx.x
    values[t] = a[t]
    cuda.syncthreads()
    out[t] = values[N - 1 - t]


def complex_vector():
    return (np.arange(N) + 1j * np.arange(N)).astype(np.complex64), np.zeros(N, np.complex64)


@cuda.jit
def complex_neighbours(z, out):
    s = cuda.shared.array(N, complex64)
    t = cuda.threadIdx.x
    s[t] = z[t]  # fault
    out[t] = s[(t + 1) % N] * 1j  # fault


@cuda.jit
def complex_neighbours_after_barrier(z, out):
    s = cuda.shared.array(N, complex64)
    t = cuda.threadIdx.x
    s[t] = z[t]
    cuda.syncthreads()
    out[t] = s[(t + 1) % N] * 1j


def particles():
    p = np.zeros(N, PARTICLE)
    p["x"] = np.arange(N)
    p["v"] = 2
    return p, np.zeros(N, np.float32)


@cuda.jit
def particles_push_their_neighbour(p, out):
    t = cuda.grid(1)
    p[t].x = p[t].x + p[t].v  # fault
    out[t] = p[(t + 1) % p.size].x  # fault


@cuda.jit
def particles_read_what_is_constant(p, out):
    t = cuda.grid(1)
    p[t].x = p[t].x + p[t].v
    out[t] = p[(t + 1) % p.size].v


@cuda.jit
def record_of_the_neighbour_too_early(a, out):
    s = cuda.shared.array(N, cell)
    t = cuda.threadIdx.x
    s[t].x = a[t]  # fault
    s[t].v = -a[t]
    out[t] = s[(t + 1) % N].x  # fault


@cuda.jit
def record_of_its_own(a, out):
    s = cuda.shared.array(N, cell)
    t = cuda.threadIdx.x
    s[t].x = a[t]
    s[t].v = -a[t]
    cuda.syncthreads()
    s[t].x = 2 * a[t]
    out[t] = s[(t + 1) % N].v


def nibbles():
    return (np.arange(N) % 16).astype(np.uint8), np.zeros(N // 2, np.uint8)


@cuda.jit
def nibbles_of_one_byte(a, out):
    t = cuda.threadIdx.x
    out[t // 2] |= numba.uint8(a[t] << ((t % 2) * 4))  # fault


@cuda.jit
def bytes_of_their_own(a, out):
    t = cuda.threadIdx.x
    if t % 2 == 0:
        out[t // 2] = numba.uint8(a[t]) | numba.uint8(a[t + 1] << 4)


def from_zero():
    return np.arange(N, dtype=np.float32), np.zeros(N, np.float32)


@cuda.jit
def stack_pops_below_its_bottom(a, out):
    stack = cuda.local.array(4, int32)
    t = cuda.grid(1)
    top = 0
    for k in range(3):
        if a[t] > k * 16:
            stack[top] = k
            top += 1
    out[t] = stack[top - 1]  # fault


@cuda.jit
def stack_keeps_its_bottom(a, out):
    stack = cuda.local.array(4, int32)
    t = cuda.grid(1)
    top = 0
    stack[0] = 0
    for k in range(3):
        if a[t] > k * 16:
            stack[top] = k
            top += 1
    if top > 0:
        out[t] = stack[top - 1]


def volume():
    return np.arange(60, dtype=np.float32).reshape(3, 4, 5), np.zeros((3, 4, 5), np.float32)


@cuda.jit
def slab_past_the_volume(a, out):
    x, y, z = cuda.grid(3)
    if x < a.shape[2] and y < a.shape[1]:
        out[z, y, x] = a[z, y, x]  # fault


@cuda.jit
def slab_of_the_volume(a, out):
    x, y, z = cuda.grid(3)
    if x < a.shape[2] and y < a.shape[1] and z < a.shape[0]:
        out[z, y, x] = a[z, y, x]


PAIRS = [
    ("race", carved_with_elements_for_bytes, carved_after_the_counts, (1, N, 0, 8 * N), vector),
    ("race", each_thread_fills_the_whole_row, each_thread_fills_its_place, (3, N), rows),
    ("race", halves_overlap_by_one, halves_abut, (1, N), vector),
    ("race", scan_swapping_row_views_with_one_row, scan_swapping_row_views, (1, N), vector),
    ("misaligned", doubles_in_the_middle_of_bytes, doubles_at_the_start_of_bytes, (1, N), vector),
    ("race", complex_neighbours, complex_neighbours_after_barrier, (1, N), complex_vector),
    ("race", particles_push_their_neighbour, particles_read_what_is_constant, (1, N), particles),
    ("race", record_of_the_neighbour_too_early, record_of_its_own, (1, N), vector),
    ("race", nibbles_of_one_byte, bytes_of_their_own, (1, N), nibbles),
    (
        "negative index",
        stack_pops_below_its_bottom,
        stack_keeps_its_bottom,
        (1, N),
        from_zero,
        None,
        "warning",
    ),
    ("out of bounds", slab_past_the_volume, slab_of_the_volume, ((1, 1, 2), (8, 4, 2)), volume),
]
