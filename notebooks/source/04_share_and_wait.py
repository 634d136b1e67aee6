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
# # 04 · Share and wait
#
# **The question:** how do threads cooperate?
#
# **You will build** a difference of neighbours, a sum in a tree, a tiled matrix product, and a
# prefix sum.
#
# **You need** notebook 03: requests and sectors. No GPU.
#
# **Minutes:** 50.

# %%
import numpy as np

import workbench
from workbench import catalog, cuda

# %% [markdown]
# ## Memory that a block shares
#
# `cuda.shared.array` gives each block a small array on the chip, up to 48 KB, that all its threads
# see. It is far nearer than global memory, and it knows no sectors. The pattern is always the same:
# **load together, wait, compute from the copy**.
#
# Here each thread subtracts its left neighbour. Load, then compute:


# %%
THREADS = 64


@cuda.jit
def differences(x, out):
    tile = cuda.shared.array(THREADS, np.float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    if i < x.size:
        tile[t] = x[i]
        if t > 0:
            out[i] = tile[t] - tile[t - 1]
        elif i > 0:
            out[i] = tile[t] - x[i - 1]
        else:
            out[i] = tile[t]


x = np.random.default_rng(0).standard_normal(200, dtype=np.float32)
out = np.full_like(x, np.nan)
differences[4, THREADS](x, out)
np.testing.assert_array_equal(out, np.diff(x, prepend=np.float32(0)))

# %% [markdown]
# Right at 200 elements in four blocks, with an odd last block. Run it a hundred times: right a
# hundred times. It is wrong all the same. Put it under the sanitizer, and insist:

# %% tags=["raises-exception"]
workbench.sanitize(differences[4, THREADS], x, out).check()

# %%
findings = workbench.sanitize(differences[4, THREADS], x, out)
race = next(one for one in findings if one.kind == "race")
assert race.array == "tile"
assert race.first.thread != race.second.thread
print(race)
workbench.Findings(findings)

# %% [markdown]
# Thread `t` reads what thread `t - 1` writes, and nothing makes it wait. It worked, because this
# engine happened to run thread `t - 1` first. **No order is promised.** A GPU runs 32 of them at
# once and switches between warps whenever memory is slow.
#
# The sanitizer also runs the launch with the last thread first. You can do that by hand:

# %%
from workbench.simt.sanitizer import sanitize_in_order

backward = np.full_like(x, np.nan)
sanitize_in_order(differences[4, THREADS], (x, backward), number=1)
wrong = np.flatnonzero(backward != out)
print(f"{wrong.size} of {x.size} elements are different:", backward[:4])
assert wrong.size > 100

# %% [markdown]
# ## The cure: a barrier
#
# `cuda.syncthreads()` holds every thread of the block until all have arrived. What was written
# before it can be read after it. **Every** thread must come: a barrier inside `if i < x.size` would
# leave the others out. So the guard is closed first, and opened again.


# %%
@cuda.jit
def differences_waited(x, out):
    tile = cuda.shared.array(THREADS, np.float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    if i < x.size:
        tile[t] = x[i]
    cuda.syncthreads()
    if i < x.size:
        if t > 0:
            out[i] = tile[t] - tile[t - 1]
        elif i > 0:
            out[i] = tile[t] - x[i - 1]
        else:
            out[i] = tile[t]


assert not workbench.sanitize(differences_waited[4, THREADS], x, out)

# %% [markdown]
# And this is what the sanitizer says of a barrier that only some reach:


# %%
@cuda.jit
def barrier_in_a_branch(x, out):
    tile = cuda.shared.array(THREADS, np.float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    if i < x.size:
        tile[t] = x[i]
        cuda.syncthreads()
        out[i] = tile[max(t - 1, 0)]


findings = workbench.sanitize(barrier_in_a_branch[4, THREADS], x, out)
assert any("barrier" in kind for kind in findings.kinds), findings.kinds
print(findings[0])

# %% [markdown]
# ## A sum in a tree
#
# 64 numbers, 64 threads. At each step half of the threads add what the other half holds. Six steps
# instead of 63. The barrier stands *outside* the `if`.


# %%
@cuda.jit
def sum_tree(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    i, t = cuda.grid(1), cuda.threadIdx.x
    partial[t] = x[i] if i < x.size else np.float32(0)
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        cuda.atomic.add(out, 0, partial[0])


def launch_sum(x, out):
    out[0] = 0
    sum_tree[(x.size + THREADS - 1) // THREADS, THREADS](x, out)


vector_sum = catalog.load_problem("vector_sum")
vector_sum.check_launch(launch_sum)
assert not workbench.sanitize(sum_tree[4, THREADS], x, np.zeros(1, np.float32))

# %% [markdown]
# Scrub through the barriers, and watch the sums move to the left of the shared array:

# %%
workbench.LaunchView(
    workbench.watch(sum_tree[1, THREADS], vector_sum.inputs(60, seed=1)[0], np.zeros(1, np.float32))
)

# %% [markdown]
# Threads beyond the end put in a zero instead of going home, since they are needed at the barrier.
# Blocks cannot wait for each other inside a launch; they meet in one *atomic* addition (notebook
# 05).
#
# **Try it.** Comment the barrier in the loop out. Is the sum still right? What do the findings say?
#
# ## The tiled matrix product
#
# Each element of `a @ b` needs a row and a column. One thread alone fetches them from global
# memory. 16 x 16 threads together need each number 16 times, so they fetch a tile once and share
# it. The loop on the shelf has a second barrier, which this one has lost. Does it matter?


# %%
TILE = 16


@cuda.jit
def matmul_one_barrier(a, b, out):
    a_tile = cuda.shared.array((TILE, TILE), np.float32)
    b_tile = cuda.shared.array((TILE, TILE), np.float32)
    col, row = cuda.grid(2)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    total = np.float32(0)
    for start in range(0, a.shape[1], TILE):
        a_tile[y, x] = a[row, start + x]
        b_tile[y, x] = b[start + y, col]
        cuda.syncthreads()
        for k in range(TILE):
            total += a_tile[y, k] * b_tile[k, x]
        # the shelf's kernel has a second barrier here
    out[row, col] = total


a, b = np.random.default_rng(1).standard_normal((2, 32, 32), dtype=np.float32)
product = np.empty((32, 32), np.float32)
findings = workbench.sanitize(matmul_one_barrier[(2, 2), (TILE, TILE)], a, b, product, orders=1)
print(next(one for one in findings if one.kind == "race"))

# %% [markdown]
# Two threads, two lines, one loop step apart: a fast thread loads the next tile over the one that a
# slow thread still reads. This race needs two tiles to show. With a 16 x 16 matrix, the kernel is
# clean, and passes.

# %%
assert all(one.array in ("a_tile", "b_tile") for one in findings)
small = np.ascontiguousarray(a[:16, :16])
clean = workbench.sanitize(
    matmul_one_barrier[1, (TILE, TILE)], small, small, np.empty((16, 16), np.float32), orders=1
)
assert not clean

# %% [markdown]
# The full kernel, with both barriers and with guards for odd sizes, is on the shelf. Is it worth
# the trouble? Compare the bytes that each kernel moves through the memory system.

# %%
from workbench.kernels.matmul.cuda_2_coalesced import matmul_coalesced
from workbench.kernels.matmul.cuda_3_tiled import matmul_tiled

a, b = np.random.default_rng(1).standard_normal((2, 48, 48), dtype=np.float32)
product = np.empty((48, 48), np.float32)
plain = workbench.inspect(matmul_coalesced[(2, 6), (32, 8)], a, b, product)
tiled = workbench.inspect(matmul_tiled[(3, 3), (TILE, TILE)], a, b, product)
np.testing.assert_allclose(product, a @ b, rtol=1e-4, atol=1e-4)
print(f"plain {plain.bytes_moved:,} bytes, tiled {tiled.bytes_moved:,}")
assert tiled.bytes_moved < plain.bytes_moved / 4

# %% [markdown]
# ## Your turn: a prefix sum
#
# `out[i] = x[0] + ... + x[i]` in one block of 64. At step 1, 2, 4, ... each thread adds what stands
# `step` before it. Written as `piece[t] += piece[t - step]`, a thread overwrites what its neighbour
# has yet to read. So: read into a variable, wait, add, wait. Write the loop yourself, then check.


# %%
@cuda.jit
def scan_block(x, out):
    piece = cuda.shared.array(THREADS, np.float32)
    t = cuda.threadIdx.x
    piece[t] = x[t] if t < x.size else np.float32(0)
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        before = piece[t - step] if t >= step else np.float32(0)
        cuda.syncthreads()
        piece[t] += before
        cuda.syncthreads()
        step *= 2
    if t < out.size:
        out[t] = piece[t]


# %%
scan = catalog.load_problem("scan")
scan.check_launch(scan_block[1, THREADS], sizes=[1, 2, 33, 63, 64])
inputs = scan.inputs(63, seed=3)
findings = workbench.sanitize(scan_block[1, THREADS], *inputs, *scan.outputs(*inputs))
assert not findings, findings
print("Right, and free of races in every order.")

# %% [markdown]
# More than one block needs three launches, since a launch is the only barrier between blocks:
# `kernels/scan/cuda_1_hillis_steele.py`.
#
# ## What real hardware would add
#
# Luck. On a GPU the missing barrier gives right answers on most days. Nvidia's `compute-sanitizer
# --tool racecheck` finds races in shared memory, when you run it; races between blocks it does not
# look for.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The full kernels: `kernels/vector_sum`, `kernels/matmul`,
# `kernels/scan`, each a ladder of three to five steps.
#
# ## Where next
#
# Inside a warp, threads can hand each other numbers without memory and without a barrier. Notebook
# 05 asks what is free there, and what only looks free.
