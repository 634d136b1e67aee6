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
# # 01 · Write your first kernel
#
# **The question:** what does one thread do?
#
# **You will build** three kernels: a map, a map with a guard, and one in two dimensions.
#
# **You need** notebook 00, or nothing at all. No GPU: the kernels below are ordinary Numba CUDA and
# run here on the CPU. On a machine with an Nvidia GPU the same cells run on it.
#
# **Minutes:** 25.

# %%
import numpy as np

from workbench import cuda

cuda.engine()

# %% [markdown]
# That is the engine that will run your kernels: `simt` is ours, on the CPU, and `gpu` is a real one.
# `cuda.use("gpu")` switches, and nothing switches without your word.
#
# ## A map: one thread, one element
#
# On a CPU you would write a loop. On a GPU you write **what happens once**, and start as many
# threads as there are elements. Each thread asks who it is, and does its own element.


# %%
@cuda.jit
def add_ten(x, out):
    i = cuda.grid(1)  # my number among all threads
    out[i] = x[i] + 10


x = np.arange(96, dtype=np.float32)
out = np.full(96, np.nan, dtype=np.float32)
add_ten[3, 32](x, out)  # 3 blocks of 32 threads
out[:4], out[-4:]

# %% [markdown]
# `add_ten[3, 32]` is the launch: 3 blocks of 32 threads, 96 in all. No thread knows about the
# others, and none may assume that another has finished. Filling `out` with NaN first is a habit
# worth having: an element that nobody wrote shows itself.
#
# `cuda.grid(1)` is arithmetic on three numbers that every thread is given:


# %%
@cuda.jit
def who_am_i(block, thread, number):
    i = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    block[i] = cuda.blockIdx.x
    thread[i] = cuda.threadIdx.x
    number[i] = i


block, thread, number = (np.full(8, -1) for _ in range(3))
who_am_i[2, 4](block, thread, number)
np.column_stack([block, thread, number])

# %% [markdown]
# **Try it.** Change `[2, 4]` to `[4, 2]` and to `[1, 8]`. Which column stays as it is?
#
# ## The mistake: a missing guard
#
# Sizes are seldom a multiple of the block. For 100 elements you need 4 blocks of 32, which is 128
# threads. What do the last 28 do?

# %% tags=["raises-exception"]
x = np.arange(100, dtype=np.float32)
out = np.full(100, np.nan, dtype=np.float32)
add_ten[4, 32](x, out)

# %% [markdown]
# Read the error: it names the first thread that went too far, the line, the index and the size.
# On a GPU nothing would have been said. The write lands in memory that belongs to something else,
# and the program goes on with numbers that are wrong somewhere else, or not until tomorrow. Nvidia's
# `compute-sanitizer` finds it, if you think of asking. Here it is on by default.

# %%
try:
    add_ten[4, 32](x, out)
    caught = None
except IndexError as error:
    caught = error
assert caught is not None
assert "block (3, 0, 0)" in str(caught)

# %% [markdown]
# ## The cure: a guard
#
# The threads beyond the end must do nothing. `x.size` is known inside the kernel.


# %%
@cuda.jit
def add_ten_guarded(x, out):
    i = cuda.grid(1)
    if i < x.size:
        out[i] = x[i] + 10


threads = 32
blocks = (x.size + threads - 1) // threads  # rounded up
add_ten_guarded[blocks, threads](x, out)
np.testing.assert_array_equal(out, x + 10)

# %% [markdown]
# Remember the line that rounds up. It stands in nearly every CUDA program there is.
#
# ## Two dimensions
#
# Images and matrices have rows and columns, and a launch can have them too. `cuda.grid(2)` gives
# both numbers; both need a guard.


# %%
@cuda.jit
def darken(image, strength, out):
    row, column = cuda.grid(2)
    if row < image.shape[0] and column < image.shape[1]:
        out[row, column] = image[row, column] * (1 - strength)


def launch_2d(kernel, image, *others):
    threads = (8, 8)
    blocks = ((image.shape[0] + 7) // 8, (image.shape[1] + 7) // 8)
    kernel[blocks, threads](image, *others)


# %% [markdown]
# Real input: handwritten digits, 8 by 8 pixels, side by side in one picture of 8 rows and 40
# columns. Not square, so a swapped row and column would be seen.

# %%
import matplotlib.pyplot as plt

from workbench import digits

image = np.hstack([digits.load("test").images[i, 0] for i in range(5)])
darker = np.full_like(image, np.nan)
launch_2d(darken, image, np.float32(0.6), darker)
figure, axes = plt.subplots(2, 1, figsize=(6, 2.6))
for axis, picture, title in zip(axes, (image, darker), ("input", "darken"), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set_title(title, loc="left", fontsize=9)
    axis.axis("off")

# %% [markdown]
# ## Your turn
#
# Write `mirror`: `out[row, column]` is the pixel of the same row, counted from the right. Replace
# the body, run the cell, and run the check below it as often as you like.


# %%
@cuda.jit
def mirror(image, out):
    row, column = cuda.grid(2)
    if row < image.shape[0] and column < image.shape[1]:
        out[row, column] = image[row, image.shape[1] - 1 - column]


# %%
for rows, columns in ((8, 40), (5, 7), (1, 1), (9, 33)):
    picture = np.random.default_rng(0).random((rows, columns), dtype=np.float32)
    out = np.full_like(picture, np.nan)
    launch_2d(mirror, picture, out)
    np.testing.assert_array_equal(out, picture[:, ::-1])
print("Right, at every size.")

# %% [markdown]
# The check uses sizes that do not divide by the block, and numbers of which no two are alike. A
# kernel that is right for one block only, or for equal numbers only, does not pass.
#
# ## What real hardware would add
#
# Speed, and silence. A GPU runs thousands of these threads at once and checks none of them.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The kernels are plain Numba CUDA: on a machine with an
# Nvidia GPU, `from numba import cuda` in place of our import is all that changes.
#
# ## Where next
#
# Notebook 02 asks who works on what when there are more elements than threads. The lab
# `labs/first_kernels` lets you practise.
