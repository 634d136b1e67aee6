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
# # 02 · Launch threads and blocks
#
# **The question:** who works on what?
#
# **You will build** saxpy over many blocks, a loop that serves any size with any grid, a kernel in
# three dimensions, and a broadcast.
#
# **You need** notebook 01: threads, the launch, the guard. No GPU.
#
# **Minutes:** 30.

# %%
import numpy as np

import workbench
from workbench import catalog, cuda

# %% [markdown]
# ## A kernel that passes its test
#
# `out = a * x + y`, the "saxpy" of every linear algebra library. Here is a first try. It knows
# about guards.


# %%
@cuda.jit
def saxpy_first_try(a, x, y, out):
    i = cuda.threadIdx.x
    if i < out.size:
        out[i] = a * x[i] + y[i]


def launch_first_try(a, x, y, out):
    threads = 128
    blocks = (out.size + threads - 1) // threads
    saxpy_first_try[blocks, threads](a, x, y, out)


saxpy = catalog.load_problem("saxpy")
saxpy.check_launch(launch_first_try, sizes=[1, 31, 100, 128])

# %% [markdown]
# `saxpy` is a *problem* from the shelf: it makes inputs, knows the answer in float64, and
# `check_launch` raises where a launch is wrong. It said nothing, so the kernel is right at the four
# sizes. They have something in common. Try one more.

# %% tags=["raises-exception"]
saxpy.check_launch(launch_first_try, sizes=[129])

# %% [markdown]
# `out[128]` is NaN, the value that outputs hold before a kernel runs: nobody wrote it. At size 129
# there are two blocks, for the first time. Who did what? Ask the sanitizer to watch the launch.

# %%
inputs = saxpy.inputs(129, seed=1)
findings = workbench.sanitize(saxpy_first_try[2, 128], *inputs, *saxpy.outputs(*inputs))
assert "race" in findings.kinds
print(findings[0])

# %% [markdown]
# Two threads with the same `threadIdx`, one of each block, write the same element. `threadIdx`
# counts **inside** a block. The second block repeats the work of the first, and nobody does its
# own. (The finding is a warning: both write the same value. The missing element is what hurts.)
#
# The numbers that a thread is given:
#
# | name | says |
# |---|---|
# | `threadIdx` | my place in my block |
# | `blockIdx` | my block's place in the grid |
# | `blockDim` | threads in a block |
# | `gridDim` | blocks in the grid |
#
# So my number among all threads is `blockIdx.x * blockDim.x + threadIdx.x`, and `cuda.grid(1)` is
# short for it.


# %%
@cuda.jit
def saxpy_blocks(a, x, y, out):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if i < out.size:
        out[i] = a * x[i] + y[i]


def launch_blocks(a, x, y, out):
    threads = 128
    blocks = (out.size + threads - 1) // threads
    saxpy_blocks[blocks, threads](a, x, y, out)


saxpy.check_launch(launch_blocks, sizes=[1, 127, 128, 129, 1000])
assert not workbench.sanitize(saxpy_blocks[2, 128], *inputs, *saxpy.outputs(*inputs))

# %% [markdown]
# **Remember:** test at one less than a block, at a block, at one more, and with at least three
# blocks. A kernel that is wrong between blocks is often right for one.
#
# ## More elements than threads
#
# A grid may be smaller than the data. Then each thread does several elements. Which ones? Let each
# write its own number.


# %%
@cuda.jit
def who_strided(out):
    me = cuda.grid(1)
    for i in range(me, out.size, cuda.gridsize(1)):
        out[i] = me


@cuda.jit
def who_chunked(out):
    me = cuda.grid(1)
    each = (out.size + cuda.gridsize(1) - 1) // cuda.gridsize(1)
    for i in range(me * each, min((me + 1) * each, out.size)):
        out[i] = me


strided, chunked = np.full(20, -1), np.full(20, -1)
who_strided[2, 4](strided)
who_chunked[2, 4](chunked)
print("strided", strided)
print("chunked", chunked)

# %% [markdown]
# Look at the eight threads themselves. Choose a block and a thread, and see what it holds when it is
# done.

# %%
workbench.LaunchView(workbench.watch(who_strided[2, 4], strided))

# %% [markdown]
# Both kernels cover everything once, with 8 threads for 20 elements. `gridsize` is the number of all
# threads. The first is called a **grid-stride loop**. On a CPU you would chunk, so that each core
# has its own piece of memory. On a GPU you stride, so that neighbouring threads touch neighbouring
# elements at the same moment. Notebook 03 measures the difference.
#
# A grid-stride loop is right for *every* launch shape, also for one thread:


# %%
@cuda.jit
def saxpy_strided(a, x, y, out):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = a * x[i] + y[i]


for blocks, threads in [(1, 1), (1, 33), (5, 32), (64, 256)]:
    shaped = saxpy_strided[blocks, threads]
    saxpy.check_launch(shaped, sizes=[1, 100, 777])

# %% [markdown]
# ## Up to three dimensions
#
# A grid and a block may have an x, a y and a z. `x` runs fastest: threads that differ in x are
# neighbours in the hardware. Arrays in Python are the other way round, their *last* index runs
# fastest. So x belongs to the last index.


# %%
@cuda.jit
def fade(volume, out):
    x, y, z = cuda.grid(3)
    if z < volume.shape[0] and y < volume.shape[1] and x < volume.shape[2]:
        out[z, y, x] = volume[z, y, x] / (z + 1)


volume = np.random.default_rng(0).random((3, 10, 37), dtype=np.float32)
out = np.full_like(volume, np.nan)
fade[(2, 2, 3), (32, 8, 1)](volume, out)
np.testing.assert_allclose(out, volume / np.array([1, 2, 3]).reshape(3, 1, 1), rtol=1e-6)

# %% [markdown]
# A block may have 1,024 threads in all, whatever its shape. This one would have 2,048, and is
# refused here as on every Nvidia GPU:

# %%
try:
    fade[(2, 2, 1), (32, 16, 4)](volume, out)
    refused = None
except workbench.WorkbenchError as error:
    refused = error
assert refused is not None
print(refused)

# %% [markdown]
# ## Your turn: broadcast
#
# `out[i, j] = column[i, 0] + row[0, j]`. Each thread does one `(i, j)`. Two guards, and the right
# index in x. Replace the body with your own and run the check below.


# %%
@cuda.jit
def broadcast(column, row, out):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = column[i, 0] + row[0, j]


def launch_broadcast(column, row, out):
    threads = (32, 4)
    blocks = ((out.shape[1] + 31) // 32, (out.shape[0] + 3) // 4)
    broadcast[blocks, threads](column, row, out)


# %%
catalog.load_problem("broadcast_add").check_launch(launch_broadcast)
print("Right, at every size.")

# %% [markdown]
# The matrix of this problem has three columns more than rows. A kernel that takes one for the other
# passes on squares, and not here.
#
# ## What real hardware would add
#
# Blocks run in no particular order, as many at once as there is room for: an H100 has 132
# multiprocessors with room for up to 2,048 threads each (Nvidia H100 data sheet and CUDA C++
# Programming Guide, compute capability 9.0). That is why no block may wait for another, and why the
# same launch runs on a small GPU and on a large one.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The shelf has the kernels in full, each with its lesson:
# `kernels/saxpy`, `kernels/broadcast_add`, `kernels/add_scalar_2d`.
#
# ## Where next
#
# All these kernels do next to no arithmetic: they move memory. Notebook 03 asks why the same sum
# can take eight times as long. The lab `labs/first_kernels` lets you practise.
