"""Flags, tickets, locks and barriers that some pass by."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 64
float32, int32, boolean = numba.float32, numba.int32, numba.boolean
vector = ramp_and_zeros(N)


def flags():
    return np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros(4, np.float32)


@cuda.jit
def neighbour_flag_without_fences(partial, flags, out):
    b = cuda.blockIdx.x
    if cuda.threadIdx.x == 0:
        partial[b] = b + 1.0  # fault
        cuda.atomic.exch(flags, b, 1)
        if b > 0:
            while cuda.atomic.add(flags, b - 1, 0) == 0:
                pass
            out[b] = partial[b - 1]  # fault


@cuda.jit
def neighbour_flag_with_fences(partial, flags, out):
    b = cuda.blockIdx.x
    if cuda.threadIdx.x == 0:
        partial[b] = b + 1.0
        cuda.threadfence()
        cuda.atomic.exch(flags, b, 1)
        if b > 0:
            while cuda.atomic.add(flags, b - 1, 0) == 0:
                pass
            cuda.threadfence()
            out[b] = partial[b - 1]


def ticket():
    return (
        np.arange(4 * N, dtype=np.float32),
        np.zeros(4, np.float32),
        np.zeros(1, np.int32),
        np.zeros(1, np.float32),
    )


@cuda.jit
def fence_after_the_ticket(a, partial, ticket, out):
    s = cuda.shared.array(N, float32)
    last = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    s[t] = a[cuda.grid(1)]
    cuda.syncthreads()
    if t == 0:
        total = float32(0)
        for k in range(N):
            total += s[k]
        partial[cuda.blockIdx.x] = total  # fault
        last[0] = cuda.atomic.add(ticket, 0, 1)
        cuda.threadfence()
    cuda.syncthreads()
    if last[0] == cuda.gridDim.x - 1 and t == 0:
        total = float32(0)
        for k in range(cuda.gridDim.x):
            total += partial[k]  # fault
        out[0] = total


@cuda.jit
def fence_before_the_ticket(a, partial, ticket, out):
    s = cuda.shared.array(N, float32)
    last = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    s[t] = a[cuda.grid(1)]
    cuda.syncthreads()
    if t == 0:
        total = float32(0)
        for k in range(N):
            total += s[k]
        partial[cuda.blockIdx.x] = total
        cuda.threadfence()
        last[0] = cuda.atomic.add(ticket, 0, 1)
    cuda.syncthreads()
    if last[0] == cuda.gridDim.x - 1 and t == 0:
        total = float32(0)
        for k in range(cuda.gridDim.x):
            total += partial[k]
        out[0] = total


def locked():
    return np.zeros(1, np.int32), np.zeros(1, np.float32), np.ones(N, np.float32)


@cuda.jit
def critical_section_left_unlocked(lock, total, a):
    t = cuda.grid(1)
    if t % 32 == 0:
        while cuda.atomic.cas(lock, 0, 0, 1) != 0:
            pass
        cuda.threadfence()
        total[0] = total[0] + a[t]  # fault
        cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def critical_section_with_fences(lock, total, a):
    t = cuda.grid(1)
    if t % 32 == 0:
        while cuda.atomic.cas(lock, 0, 0, 1) != 0:
            pass
        cuda.threadfence()
        total[0] = total[0] + a[t]
        cuda.threadfence()
        cuda.atomic.exch(lock, 0, 0)


@cuda.jit
def flag_cleared_too_early(a, out):
    go = cuda.shared.array(1, boolean)
    t = cuda.threadIdx.x
    value = a[t]
    rounds = 0
    if t == 0:
        go[0] = True  # fault
    cuda.syncthreads()
    while go[0]:  # fault
        value *= 0.5
        rounds += 1
        cuda.syncthreads()
        if t == 0:
            go[0] = rounds < 3  # fault
        cuda.syncthreads()
        if t == 1:
            go[0] = rounds < 2  # fault
    out[t] = value


@cuda.jit
def flag_cleared_between_barriers(a, out):
    go = cuda.shared.array(1, boolean)
    t = cuda.threadIdx.x
    value = a[t]
    rounds = 0
    if t == 0:
        go[0] = True
    cuda.syncthreads()
    while go[0]:
        value *= 0.5
        rounds += 1
        cuda.syncthreads()
        if t == 0:
            go[0] = rounds < 3
        cuda.syncthreads()
    out[t] = value


def passes():
    return np.arange(128, dtype=np.float32), np.zeros(128, np.float32), np.zeros(128, np.float32)


@cuda.jit
def second_pass_without_grid_barrier(a, b, out):
    i = cuda.grid(1)
    b[i] = a[i] * 2  # fault
    cuda.syncthreads()
    out[i] = b[b.size - 1 - i]  # fault


@cuda.jit
def second_pass_with_grid_barrier(a, b, out):
    i = cuda.grid(1)
    b[i] = a[i] * 2
    cuda.cg.this_grid().sync()
    out[i] = b[b.size - 1 - i]


@cuda.jit
def compare_and_swap_on_a_plain_read(a, out):
    t = cuda.grid(1)
    old = out[0]  # fault
    while True:
        seen = cuda.atomic.cas(out, 0, old, old + a[t])  # fault
        if seen == old:
            break
        old = seen


@cuda.jit
def compare_and_swap_on_an_atomic_read(a, out):
    t = cuda.grid(1)
    old = cuda.atomic.add(out, 0, 0)
    while True:
        seen = cuda.atomic.cas(out, 0, old, old + a[t])
        if seen == old:
            break
        old = seen


def histogram_arguments():
    return np.arange(4 * N, dtype=np.int32), np.zeros(4, np.int32), np.zeros(4 * N, np.int32)


@cuda.jit
def histogram_normalised_too_early(a, bins, out):
    i = cuda.grid(1)
    cuda.atomic.add(bins, a[i] % 4, 1)  # fault
    cuda.syncthreads()
    out[i] = bins[a[i] % 4]  # fault


@cuda.jit
def histogram_left_for_another_launch(a, bins, out):
    i = cuda.grid(1)
    cuda.atomic.add(bins, a[i] % 4, 1)
    cuda.syncthreads()
    out[i] = a[i]


def fifty():
    return np.arange(1, 51, dtype=np.float32), np.zeros(50, np.float32)


@cuda.jit
def guard_returns_before_barrier(a, out):
    s = cuda.shared.array(32, float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    if i >= a.size:
        return  # fault
    s[t] = a[i]
    cuda.syncthreads()  # fault
    if t > 0:
        out[i] = s[t - 1]


@cuda.jit
def guard_around_the_work(a, out):
    s = cuda.shared.array(32, float32)
    i = cuda.grid(1)
    t = cuda.threadIdx.x
    if i < a.size:
        s[t] = a[i]
    cuda.syncthreads()
    if t > 0 and i < a.size:
        out[i] = s[t - 1]


@cuda.jit
def break_before_the_barrier(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = 0
    for k in range(3):
        if a[t] < k * 20:
            break
        s[t] += a[t]
        cuda.syncthreads()  # fault
    out[t] = s[t]


@cuda.jit
def flag_instead_of_break(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = 0
    going = True
    for k in range(3):
        if a[t] < k * 20:
            going = False
        if going:
            s[t] += a[t]
        cuda.syncthreads()
    out[t] = s[t]


def work():
    return (np.arange(N) % 5).astype(np.int32), np.zeros(N, np.int32)


@cuda.jit
def barrier_while_work_remains(work, out):
    s = cuda.shared.array(N, int32)
    t = cuda.threadIdx.x
    n = work[t]
    s[t] = 0
    while n > 0:
        s[t] += n
        n -= 1
        cuda.syncthreads()  # fault
    out[t] = s[t]


@cuda.jit
def barrier_while_anyone_works(work, out):
    s = cuda.shared.array(N, int32)
    t = cuda.threadIdx.x
    n = work[t]
    s[t] = 0
    while cuda.syncthreads_or(n > 0):
        if n > 0:
            s[t] += n
            n -= 1
    out[t] = s[t]


PAIRS = [
    ("race", neighbour_flag_without_fences, neighbour_flag_with_fences, (4, 32), flags),
    ("race", fence_after_the_ticket, fence_before_the_ticket, (4, N), ticket),
    ("race", critical_section_left_unlocked, critical_section_with_fences, (1, N), locked),
    ("race", flag_cleared_too_early, flag_cleared_between_barriers, (1, N), vector),
    ("race", second_pass_without_grid_barrier, second_pass_with_grid_barrier, (4, 32), passes),
    (
        "atomic mixed with plain access",
        compare_and_swap_on_a_plain_read,
        compare_and_swap_on_an_atomic_read,
        (2, 32),
        vector,
    ),
    (
        "atomic mixed with plain access",
        histogram_normalised_too_early,
        histogram_left_for_another_launch,
        (4, N),
        histogram_arguments,
    ),
    ("barrier after exit", guard_returns_before_barrier, guard_around_the_work, (2, 32), fifty),
    ("barrier divergence", break_before_the_barrier, flag_instead_of_break, (1, N), vector),
    ("barrier divergence", barrier_while_work_remains, barrier_while_anyone_works, (1, N), work),
]
