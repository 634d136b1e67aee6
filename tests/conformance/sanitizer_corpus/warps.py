"""Lanes that are taken to run in step, and masks that name the wrong ones."""

import numba
import numpy as np

from sanitizer_corpus.arguments import ramp_and_zeros
from workbench import cuda

N = 64
float32, int32, int64 = numba.float32, numba.int32, numba.int64
MISSING = "missing syncwarp"
vector = ramp_and_zeros(N)


def warp():
    return np.arange(1, 33, dtype=np.float32), np.zeros(32, np.float32)


@cuda.jit
def last_warp_unrolled(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    if t < 32:
        s[t] += s[t + 32]  # fault
        if t < 16:
            s[t] += s[t + 16]  # fault
        if t < 8:
            s[t] += s[t + 8]  # fault
    if t == 0:
        out[0] = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]  # fault


@cuda.jit
def last_warp_in_step(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    if t < 32:
        s[t] += s[t + 32]  # fault
        cuda.syncwarp()
        if t < 16:
            s[t] += s[t + 16]
        cuda.syncwarp()
        if t < 8:
            s[t] += s[t + 8]
        cuda.syncwarp()
    if t == 0:
        out[0] = s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7]


@cuda.jit
def syncwarp_across_warps(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]  # fault
    cuda.syncwarp()
    out[t] = s[(t + 32) % N]  # fault


@cuda.jit
def barrier_across_warps(a, out):
    s = cuda.shared.array(N, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    cuda.syncthreads()
    out[t] = s[(t + 32) % N]


@cuda.jit
def halves_meet_the_wrong_lanes(a, out):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]  # fault
    mask = 0xFFFF if t < 16 else 0xFFFF0000
    cuda.syncwarp(mask)
    out[t] = s[31 - t]  # fault


@cuda.jit
def halves_meet_their_own_lanes(a, out):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    mask = 0xFFFF if t < 16 else 0xFFFF0000
    cuda.syncwarp(mask)
    out[t] = s[(t // 16) * 16 + 15 - t % 16]


@cuda.jit
def group_reads_another_groups_element(a, out):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    group = cuda.match_any_sync(0xFFFFFFFF, t // 8)
    s[t] = a[t]  # fault
    cuda.syncwarp(group)
    out[t] = s[(t + 1) % 32]  # fault


@cuda.jit
def group_reads_its_own_elements(a, out):
    s = cuda.shared.array(32, float32)
    t = cuda.threadIdx.x
    group = cuda.match_any_sync(0xFFFFFFFF, t // 8)
    s[t] = a[t]
    cuda.syncwarp(group)
    out[t] = s[t // 8 * 8 + (t + 1) % 8]


def square():
    return np.arange(64, dtype=np.float32).reshape(4, 16), np.zeros((4, 16), np.float32)


@cuda.jit
def rows_of_half_a_warp(a, out):
    s = cuda.shared.array((4, 16), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    s[y, x] = a[y, x]  # fault
    cuda.syncwarp()
    out[y, x] = s[(y + 1) % 4, x]  # fault


@cuda.jit
def rows_of_one_warp(a, out):
    s = cuda.shared.array((4, 16), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    s[y, x] = a[y, x]
    cuda.syncwarp()
    out[y, x] = s[y ^ 1, x]


def compaction():
    return np.arange(32, dtype=np.float32), np.zeros(1, np.int32), np.zeros(32, np.float32)


@cuda.jit
def leader_tells_without_syncwarp(a, counter, out):
    base = cuda.shared.array(1, int32)
    t = cuda.threadIdx.x
    mask = cuda.ballot_sync(0xFFFFFFFF, a[t] > 10)
    if t == 0:
        base[0] = cuda.atomic.add(counter, 0, cuda.popc(mask))  # fault
    if a[t] > 10:
        place = base[0] + cuda.popc(mask & ((1 << t) - 1))  # fault
        out[place] = a[t]


@cuda.jit
def leader_tells_by_shuffle(a, counter, out):
    t = cuda.threadIdx.x
    mask = cuda.ballot_sync(0xFFFFFFFF, a[t] > 10)
    base = 0
    if t == 0:
        base = cuda.atomic.add(counter, 0, cuda.popc(mask))
    base = cuda.shfl_sync(0xFFFFFFFF, base, 0)
    if a[t] > 10:
        place = base + cuda.popc(mask & ((1 << t) - 1))
        out[place] = a[t]


@cuda.jit
def every_lane_writes_the_sum(a, out):
    t = cuda.threadIdx.x
    value = a[t]
    for d in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(0xFFFFFFFF, value, d)
    out[t // 32] = value  # fault


@cuda.jit
def lane_zero_writes_the_sum(a, out):
    t = cuda.threadIdx.x
    value = a[t]
    for d in (16, 8, 4, 2, 1):
        value += cuda.shfl_down_sync(0xFFFFFFFF, value, d)
    if t % 32 == 0:
        out[t // 32] = value


@cuda.jit
def full_mask_in_half_a_warp(a, out):
    t = cuda.threadIdx.x
    if t < 16:
        out[t] = cuda.shfl_xor_sync(0xFFFFFFFF, a[t], 1)  # fault
    cuda.syncwarp()  # fault


@cuda.jit
def half_mask_in_half_a_warp(a, out):
    t = cuda.threadIdx.x
    if t < 16:
        out[t] = cuda.shfl_xor_sync(0xFFFF, a[t], 1)
    cuda.syncwarp()


@cuda.jit
def activemask_kept_for_later(a, out):
    t = cuda.threadIdx.x
    mask = int64(0)
    value = a[t]
    if t < 20:
        mask = cuda.activemask()
    if t < 10:
        value = cuda.shfl_sync(mask, value, 0)  # fault
    cuda.syncwarp()  # fault
    out[t] = value


@cuda.jit
def activemask_of_this_branch(a, out):
    t = cuda.threadIdx.x
    value = a[t]
    if t < 10:
        mask = cuda.activemask()
        value = cuda.shfl_sync(mask, value, 0)
    cuda.syncwarp()
    out[t] = value


PAIRS = [
    (MISSING, last_warp_unrolled, last_warp_in_step, (1, N), vector),
    ("race", syncwarp_across_warps, barrier_across_warps, (1, N), vector),
    (MISSING, halves_meet_the_wrong_lanes, halves_meet_their_own_lanes, (1, 32), warp),
    (MISSING, group_reads_another_groups_element, group_reads_its_own_elements, (1, 32), warp),
    ("race", rows_of_half_a_warp, rows_of_one_warp, (1, (16, 4)), square),
    (MISSING, leader_tells_without_syncwarp, leader_tells_by_shuffle, (1, 32), compaction),
    ("race", every_lane_writes_the_sum, lane_zero_writes_the_sum, (1, N), vector),
    ("warp divergence", full_mask_in_half_a_warp, half_mask_in_half_a_warp, (1, 32), warp),
    ("warp divergence", activemask_kept_for_later, activemask_of_this_branch, (1, 32), warp),
]
