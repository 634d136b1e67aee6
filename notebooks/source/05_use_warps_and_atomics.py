# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: all
#     notebook_metadata_filter: kernelspec,-jupytext.text_representation.jupytext_version
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 05 · Use warps and atomics
#
# **The question:** what is free inside a warp?
#
# **You will build** a sum by shuffles, a compaction by ballots, and a histogram in three steps.
#
# **You need** notebook 04: shared memory, barriers, races. No GPU.
#
# **Minutes:** 45.

# %%
import numpy as np

import workbench
from workbench import catalog, cuda

# %% [markdown]
# ## Thirty-two lanes
#
# Threads come in warps of 32. Thread `t` of a block is lane `t % 32` of warp `t // 32`. A warp's
# lanes used to move in step, always, and people wrote code that relied on it: no barrier needed
# inside a warp. You still find such code. Here is its best-known piece, the sum of 32 numbers.

# %%
THREADS = 64


@cuda.jit
def warp_sum_in_step(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    lane = t % 32
    partial[t] = x[i] if i < x.size else np.float32(0)
    step = 16
    while step > 0:
        if lane < step:
            partial[t] += partial[t + step]
        step //= 2
    if lane == 0 and i < x.size:
        out[i // 32] = partial[t]


warp_sum = catalog.load_problem("warp_sum")
inputs = warp_sum.inputs(100, seed=0)

# %% tags=["raises-exception"]
workbench.sanitize(warp_sum_in_step[2, THREADS], *inputs, *warp_sum.outputs(*inputs)).check()

# %%
findings = workbench.sanitize(warp_sum_in_step[2, THREADS], *inputs, *warp_sum.outputs(*inputs))
assert "missing syncwarp" in findings.kinds
found = next(one for one in findings if one.kind == "missing syncwarp")
assert found.first.thread[0] // 32 == found.second.thread[0] // 32
print(found)
workbench.Findings(findings)

# %% [markdown]
# Both threads belong to one warp, and nothing orders them. Since Volta (2017) each lane has its own
# place in the program, and the compiler may move loads and stores as if lanes were alone (CUDA C++
# Programming Guide, "Independent Thread Scheduling"). Code like this works until the next compiler.
#
# ## Two cures
#
# `cuda.syncwarp()` is a barrier for a warp: cheap, but not nothing. It needs to stand between
# writing and reading, and again between reading and writing.


# %%
@cuda.jit
def warp_sum_waited(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    lane = t % 32
    partial[t] = x[i] if i < x.size else np.float32(0)
    cuda.syncwarp()
    step = 16
    while step > 0:
        value = partial[t + step] if lane < step else np.float32(0)
        cuda.syncwarp()
        partial[t] += value
        cuda.syncwarp()
        step //= 2
    if lane == 0 and i < x.size:
        out[i // 32] = partial[t]


# %% [markdown]
# The better cure needs no memory at all. A **shuffle** lets a lane read a register of another lane:
# `shfl_down_sync(mask, value, step)` returns the `value` of the lane `step` further on. The mask
# names the lanes that take part; `0xFFFFFFFF` is all 32, and then all 32 must come.

# %%
ALL_LANES = 0xFFFFFFFF


@cuda.jit
def warp_sum_shuffled(x, out):
    i = cuda.grid(1)
    total = x[i] if i < x.size else np.float32(0)
    step = 16
    while step > 0:
        total += cuda.shfl_down_sync(ALL_LANES, total, step)
        step //= 2
    if cuda.laneid == 0 and i < x.size:
        out[i // 32] = total


for kernel in (warp_sum_waited, warp_sum_shuffled):
    out = warp_sum.outputs(*inputs)
    assert not workbench.sanitize(kernel[2, THREADS], *inputs, *out)
    warp_sum.check(out, inputs)

# %% [markdown]
# What does each of them ask of shared memory?

# %%
for kernel in (warp_sum_waited, warp_sum_shuffled):
    report = workbench.inspect(kernel[2, THREADS], *inputs, *warp_sum.outputs(*inputs))
    shared = [one for one in report.accesses if one.space == "shared"]
    print(f"{kernel.__name__}: {sum(one.requests for one in shared)} shared requests")

# %% [markdown]
# So this is what is free inside a warp: handing over a register. Order is not.
#
# **Careful:** threads beyond the end load a zero and take part. Send them home before the shuffle,
# and the mask names lanes that never come:


# %%
@cuda.jit
def warp_sum_gone_home(x, out):
    i = cuda.grid(1)
    if i < x.size:
        total = x[i]
        step = 16
        while step > 0:
            total += cuda.shfl_down_sync(ALL_LANES, total, step)
            step //= 2
        if cuda.laneid == 0:
            out[i // 32] = total


findings = workbench.sanitize(warp_sum_gone_home[2, THREADS], *inputs, *warp_sum.outputs(*inputs))
assert findings
print(findings[0])

# %% [markdown]
# ## Compaction by ballot
#
# Keep the positive numbers, in order. Each lane must know how many lanes below it keep theirs.
# `ballot_sync` gives every lane one word with a bit for each lane that voted yes; `popc` counts
# bits. One instruction instead of a prefix sum.


# %%
@cuda.jit
def compact_warp(x, kept, count):
    lane = cuda.laneid
    keep = lane < x.size and x[min(lane, x.size - 1)] > 0
    votes = cuda.ballot_sync(ALL_LANES, keep)
    if keep:
        kept[cuda.popc(votes & ((1 << lane) - 1))] = x[lane]
    if lane == 0:
        count[0] = cuda.popc(votes)


x = np.random.default_rng(1).standard_normal(29, dtype=np.float32)
kept, count = np.full(32, np.nan, np.float32), np.zeros(1, np.int32)
compact_warp[1, 32](x, kept, count)
np.testing.assert_array_equal(kept[: count[0]], x[x > 0])
assert count[0] == (x > 0).sum()

# %% [markdown]
# ## Counting: the histogram
#
# Many threads may want to add one to the same bin. `out[b] += 1` is three steps: read, add, write.
# Two threads that read the same old value write the same new one, and a count is lost.


# %%
@cuda.jit
def histogram_plain(values, out):
    i = cuda.grid(1)
    if i < values.size:
        out[values[i]] += 1


histogram = catalog.load_problem("histogram")
(values,) = histogram.inputs(500, seed=2)
findings = workbench.sanitize(histogram_plain[4, 128], values, np.zeros(256, np.int32))
assert any("race" in one.message for one in findings)
print(findings[0])

# %% [markdown]
# The race is real, and here a barrier is the wrong cure: it orders passes, while these threads meet in
# one pass, and some of them in different blocks. `cuda.atomic.add` does the three steps as one. It is
# right at once, and slow where many lanes want one bin, because they queue. The ladder on the shelf
# takes the queues apart:
#
# 1. one atomic in global memory for each value;
# 2. a private histogram in each block's shared memory, added up at the end;
# 3. lanes of a warp with equal values send one of them, found with `match_any_sync`.
#
# First make sure that all three are right. Then count their atomics.

# %%
rungs = catalog.kernel_files("histogram", "cuda")
for rung in rungs:
    histogram.check_launch(rung.load().launch, sizes=[1, 500, 1001])

# %%
values = histogram.inputs(4096, seed=2)[0] // 16  # 16 bins, so that many lanes meet
launches = [
    rungs[0].load().histogram_global_atomics[16, 256],
    rungs[1].load().histogram_shared[2, 256],
    rungs[2].load().histogram_warp_aggregated[2, 256],
]
for launch in launches:
    report = workbench.inspect(launch, values, np.zeros(256, np.int32))
    for one in report.accesses:
        if one.kind == "atomic":
            lanes = one.bytes_asked // one.itemsize_bytes
            print(f"{report.kernel}: {one.space}, {lanes} atomics, {one.contention} lanes meet")

# %% [markdown]
# 4,096 atomics in global memory become 512; then three quarters of the shared ones go too, and no two
# lanes of a warp meet any more.
#
# ## Your turn: the largest of each warp
#
# Write `warp_max`: `out[w]` is the largest of `x[32 w]` to `x[32 w + 31]`, as far as `x` goes. Use
# `shfl_xor_sync`. What must a lane beyond the end put in?


# %%
@cuda.jit
def warp_max(x, out):
    i = cuda.grid(1)
    largest = x[i] if i < x.size else np.float32(-np.inf)
    step = 16
    while step > 0:
        largest = max(largest, cuda.shfl_xor_sync(ALL_LANES, largest, step))
        step //= 2
    if cuda.laneid == 0 and i < x.size:
        out[i // 32] = largest


# %%
for size in (1, 31, 32, 33, 200):
    x = np.random.default_rng(size).standard_normal(size, dtype=np.float32) - 5
    out = np.full((size + 31) // 32, np.nan, np.float32)
    findings = workbench.sanitize(warp_max[(size + 63) // 64, 64], x, out)
    assert not findings, findings
    np.testing.assert_array_equal(out, np.maximum.reduceat(x, np.arange(0, size, 32)))
print("Right, at every size, and clean.")

# %% [markdown]
# All numbers in this check are negative. A maximum that starts from zero does not pass.
#
# ## What real hardware would add
#
# Atomics on shared memory are fast on a GPU, and reductions into global memory are done in the L2
# cache; how much the ladder gains depends on the chip and on the data. Lost counts are not
# reproducible there: another run loses others.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. More in `kernels/warp_sum`, `kernels/warp_scan`,
# `kernels/compact`, `kernels/histogram` and `kernels/radix_sort_pass`.
#
# ## Where next
#
# You have all the pieces of a fast kernel. Notebook 06 puts them into a network, and asks how fast
# it could possibly be.
