"""Barriers that some never reach, warps that drift apart, locks that are never released."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 64
FULL = 0xFFFFFFFF
float32, int32 = numba.float32, numba.int32


def vector():
    return *ramp_and_zeros(N)(), np.zeros(2, np.int32)


@cuda.jit
def barrier_for_half_a_block(a, out, state):
    t = cuda.threadIdx.x
    if t < 32:
        cuda.syncthreads()  # fault
    out[t] = a[t]


@cuda.jit
def barrier_for_all(a, out, state):
    t = cuda.threadIdx.x
    cuda.syncthreads()
    if t < 32:
        out[t] = a[t]


@cuda.jit
def barrier_in_a_loop_of_uneven_length(a, out, state):
    t = cuda.threadIdx.x
    for _ in range(1 + t // 32):
        cuda.syncthreads()  # fault
    out[t] = a[t]


@cuda.jit
def barrier_in_a_loop_of_even_length(a, out, state):
    t = cuda.threadIdx.x
    for k in range(2):
        cuda.syncthreads()
        if k < 1 + t // 32:
            out[t] = a[t]


@cuda.jit
def barrier_in_each_branch(a, out, state):
    t = cuda.threadIdx.x
    if t % 2 == 0:
        out[t] = a[t]
        cuda.syncthreads()  # fault
    else:
        cuda.syncthreads()  # fault
        out[t] = -a[t]


@cuda.jit
def barrier_after_the_branches(a, out, state):
    t = cuda.threadIdx.x
    if t % 2 == 0:
        out[t] = a[t]
    cuda.syncthreads()
    if t % 2 == 1:
        out[t] = -a[t]


@cuda.jit
def return_before_the_barrier(a, out, state):
    i = cuda.grid(1)
    if i >= 50:
        return  # fault
    cuda.syncthreads()  # fault
    out[i] = a[i]


@cuda.jit
def guard_instead_of_return(a, out, state):
    i = cuda.grid(1)
    cuda.syncthreads()
    if i < 50:
        out[i] = a[i]


@cuda.jit
def vote_of_half_a_block(a, out, state):
    t = cuda.threadIdx.x
    if t >= 32:
        out[t] = cuda.syncthreads_count(a[t] > 3)  # fault


@cuda.jit
def vote_of_the_block(a, out, state):
    t = cuda.threadIdx.x
    count = cuda.syncthreads_count(a[t] > 3)
    if t >= 32:
        out[t] = count


@cuda.jit(device=True)
def wait_here():
    cuda.syncthreads()


@cuda.jit
def barrier_in_a_function_some_call(a, out, state):
    t = cuda.threadIdx.x
    if a[t] > 10:
        wait_here()
    out[t] = a[t]


@cuda.jit
def barrier_in_a_function_all_call(a, out, state):
    t = cuda.threadIdx.x
    wait_here()
    if a[t] > 10:
        out[t] = a[t]


@cuda.jit
def grid_barrier_for_one_block(a, out, state):
    grid = cuda.cg.this_grid()
    if cuda.blockIdx.x == 0:
        grid.sync()  # fault
    out[cuda.grid(1) % N] = 1


@cuda.jit
def grid_barrier_for_all_blocks(a, out, state):
    grid = cuda.cg.this_grid()
    grid.sync()
    i = cuda.grid(1)
    if i < N:
        out[i] = 1


@cuda.jit
def warp_steps_without_syncwarp(a, out, state):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]  # fault
    out[t] = s[31 - t]  # fault


@cuda.jit
def warp_steps_with_syncwarp(a, out, state):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncwarp()
    out[t] = s[31 - t]


@cuda.jit
def warp_reduction_in_step(a, out, state):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    s[t + 32] = 0
    cuda.syncwarp()
    k = 16
    while k > 0:
        s[t] += s[t + k]  # fault
        k //= 2
    if t == 0:
        out[0] = s[0]


@cuda.jit
def warp_reduction_with_syncwarp(a, out, state):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    s[t + 32] = 0
    cuda.syncwarp()
    k = 16
    while k > 0:
        right = s[t + k]
        cuda.syncwarp()
        s[t] += right
        cuda.syncwarp()
        k //= 2
    if t == 0:
        out[0] = s[0]


@cuda.jit
def syncwarp_of_too_few_lanes(a, out, state):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]  # fault
    if t < 16:
        cuda.syncwarp(0x0000FFFF)
        out[t] = s[31 - t]  # fault


@cuda.jit
def syncwarp_of_all_lanes(a, out, state):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncwarp()
    if t < 16:
        out[t] = s[31 - t]


@cuda.jit
def ballot_taken_for_a_fence(a, out, state):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]  # fault
    cuda.ballot_sync(FULL, True)
    out[t] = s[31 - t]  # fault


@cuda.jit
def ballot_and_syncwarp(a, out, state):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.ballot_sync(FULL, True)
    cuda.syncwarp()
    out[t] = s[31 - t]


@cuda.jit
def shuffle_in_a_branch(a, out, state):
    t = cuda.threadIdx.x
    value = a[t]
    if t < 16:
        value += cuda.shfl_down_sync(FULL, value, 8)  # fault
    cuda.syncwarp()  # fault
    out[t] = value


@cuda.jit
def shuffle_before_the_branch(a, out, state):
    t = cuda.threadIdx.x
    value = a[t]
    other = cuda.shfl_down_sync(FULL, value, 8)
    if t < 16:
        value += other
    out[t] = value


@cuda.jit
def mask_without_its_own_lane(a, out, state):
    t = cuda.threadIdx.x
    out[t] = cuda.shfl_xor_sync(0x0000FFFF, a[t], 1)  # fault


@cuda.jit
def mask_with_its_own_lane(a, out, state):
    t = cuda.threadIdx.x
    out[t] = cuda.shfl_xor_sync(FULL, a[t], 1)


@cuda.jit
def shuffle_from_a_lane_that_is_not_there(a, out, state):
    t = cuda.threadIdx.x
    out[t] = cuda.shfl_down_sync(FULL, a[t], 16)  # fault


@cuda.jit
def shuffle_among_the_lanes_there_are(a, out, state):
    t = cuda.threadIdx.x
    out[t] = cuda.shfl_xor_sync(0x00FFFFFF, a[t], 1)


@cuda.jit
def lock_never_released(a, out, state):
    if cuda.threadIdx.x == 0:
        while cuda.atomic.cas(state, 0, 0, 1) != 0:  # fault
            pass
        cuda.threadfence()
        out[0] += 1


@cuda.jit
def lock_released(a, out, state):
    if cuda.threadIdx.x == 0:
        while cuda.atomic.cas(state, 0, 0, 1) != 0:
            pass
        cuda.threadfence()
        out[0] += 1
        cuda.threadfence()
        cuda.atomic.exch(state, 0, 0)


BARRIER, WARP = "barrier divergence", "missing syncwarp"
PAIRS = [
    (BARRIER, barrier_for_half_a_block, barrier_for_all, (1, N), vector),
    (BARRIER, barrier_in_a_loop_of_uneven_length, barrier_in_a_loop_of_even_length,
     (1, N), vector),
    (BARRIER, barrier_in_each_branch, barrier_after_the_branches, (1, N), vector),
    ("barrier after exit", return_before_the_barrier, guard_instead_of_return, (1, N), vector),
    (BARRIER, vote_of_half_a_block, vote_of_the_block, (1, N), vector),
    (BARRIER, grid_barrier_for_one_block, grid_barrier_for_all_blocks, (2, 32), vector),
    (WARP, warp_steps_without_syncwarp, warp_steps_with_syncwarp, (1, 32), vector),
    (WARP, warp_reduction_in_step, warp_reduction_with_syncwarp, (1, 32), vector),
    (WARP, syncwarp_of_too_few_lanes, syncwarp_of_all_lanes, (1, 32), vector),
    (WARP, ballot_taken_for_a_fence, ballot_and_syncwarp, (1, 32), vector),
    ("warp divergence", shuffle_in_a_branch, shuffle_before_the_branch, (1, 32), vector),
    ("wrong mask", mask_without_its_own_lane, mask_with_its_own_lane, (1, 32), vector),
    ("inactive lane", shuffle_from_a_lane_that_is_not_there, shuffle_among_the_lanes_there_are,
     (1, 24), vector, None, "warning"),
    ("deadlock", lock_never_released, lock_released, (3, 32), vector),
]  # fmt: skip
