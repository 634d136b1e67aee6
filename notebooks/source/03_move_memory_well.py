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
# # 03 · Move memory well
#
# **The question:** why is the same sum eight times slower?
#
# **You will build** two sums, a copy with a stride, and a transpose, and read what each line of
# them asks of the memory.
#
# **You need** notebook 02: blocks, grids, the order of x. No GPU.
#
# **Minutes:** 40.

# %%
import numpy as np

import workbench
from workbench import cuda

# %% [markdown]
# ## Two sums
#
# One adds up each row of a matrix, the other each column. One thread for each row, or for each
# column. The matrix is square, so both read the same numbers and do the same additions.


# %%
@cuda.jit
def sum_columns(x, out):
    col = cuda.grid(1)
    if col < x.shape[1]:
        total = np.float32(0)
        for row in range(x.shape[0]):
            total += x[row, col]
        out[col] = total


@cuda.jit
def sum_rows(x, out):
    row = cuda.grid(1)
    if row < x.shape[0]:
        total = np.float32(0)
        for col in range(x.shape[1]):
            total += x[row, col]
        out[row] = total


x = np.random.default_rng(0).standard_normal((128, 128), dtype=np.float32)
for kernel, axis in [(sum_columns, 0), (sum_rows, 1)]:
    out = np.full(128, np.nan, dtype=np.float32)
    kernel[2, 64](x, out)
    np.testing.assert_allclose(out, x.sum(axis=axis), rtol=1e-4, atol=1e-4)

# %% [markdown]
# Both are right. `sum_rows` even looks the better one: each thread walks along its row, from one
# element to the next, as you would on a CPU. Let the **inspector** run them. It counts what every
# line asks of a GPU's memory.

# %%
good = workbench.inspect(sum_columns[2, 64], x, np.empty(128, np.float32))
bad = workbench.inspect(sum_rows[2, 64], x, np.empty(128, np.float32))
for report in (good, bad):
    load = report.find("x[row, col]")
    print(f"{report.kernel}: asked {load.bytes_asked:,} bytes, moved {load.bytes_moved:,}")

# %% [markdown]
# The same bytes are asked for; eight times as many are moved. Say what you expect of a kernel, and
# let a check hold it to that: no line may touch more than 5 sectors a request.


# %%
def demand(report, most_sectors=5):
    for access in report.accesses:
        if access.space == "global" and access.sectors_per_request > most_sectors:
            raise AssertionError(
                f"line {access.line}, {access.kind} of {access.text}: "
                f"{access.sectors_per_request:.1f} sectors a request"
            )


demand(good)

# %% tags=["raises-exception"]
demand(bad)

# %%
assert bad.find("x[row, col]").sectors_per_request == 32
assert good.find("x[row, col]").sectors_per_request == 4

# %% [markdown]
# ## What a request is
#
# 32 threads with neighbouring numbers form a **warp**, and a warp executes a load together: one
# *request*. Memory answers in **sectors** of 32 bytes, never less. So what counts is not what one
# thread does from step to step, but what 32 threads do **at the same step**.
#
# - `sum_columns`: the lanes differ in `col`. 32 float32 in a row are 128 bytes: 4 sectors, all used.
# - `sum_rows`: the lanes differ in `row`. They stand in 32 rows, 512 bytes apart: 32 sectors, and 4
#   bytes of each are used.
#
# See it lane by lane. In the map, ask what would happen with a stride.

# %%
workbench.AccessMap(
    workbench.access_pattern(sum_columns[2, 64], x, np.empty(128, np.float32), access="x[row, col]")
)

# %% [markdown]
# A CPU thread has a cache line to itself, so it walks along rows. A GPU's lanes share their
# requests, so they must walk **side by side**.
#
# ## A copy with a stride
#
# Predict the sectors a request for strides of 1, 2, 4, 8 and 16 before you run the cell.


# %%
@cuda.jit
def copy_strided(x, stride, out):
    i = cuda.grid(1)
    if i * stride < x.size:
        out[i] = x[i * stride]


x = np.random.default_rng(1).standard_normal(4096, dtype=np.float32)
for stride in (1, 2, 4, 8, 16):
    out = np.empty(4096 // stride, np.float32)
    report = workbench.inspect(copy_strided[4096 // stride // 128, 128], x, stride, out)
    print(stride, report.find("x[i * stride]").sectors_per_request)

# %% [markdown]
# 4, 8, 16, 32, 32. From a stride of 8 on, every lane has a sector of its own, and it cannot get
# worse. A shift costs less than a stride: 128 bytes that begin in the middle of a sector touch 5.
#
# ## Which index is x?
#
# In two dimensions the same mistake hides in one line.


# %%
@cuda.jit
def scale_by_column(x, out):
    col, row = cuda.grid(2)
    if row < x.shape[0] and col < x.shape[1]:
        out[row, col] = x[row, col] * 2


@cuda.jit
def scale_by_row(x, out):
    row, col = cuda.grid(2)
    if row < x.shape[0] and col < x.shape[1]:
        out[row, col] = x[row, col] * 2


x = np.random.default_rng(2).standard_normal((64, 64), dtype=np.float32)
for kernel in (scale_by_column, scale_by_row):
    report = workbench.inspect(kernel[(2, 8), (32, 8)], x, np.empty_like(x))
    print(kernel.__name__, [one.sectors_per_request for one in report.accesses])

# %% [markdown]
# `cuda.grid(2)` returns x first, and lanes differ in x. Unpack it as `col, row`.
#
# ## What it costs
#
# The inspector also works out a time for a chosen GPU. It is **modelled**: computed from the data
# sheet, not measured. Read it as a ratio.

# %%
x = np.random.default_rng(3).standard_normal((256, 256), dtype=np.float32)
out = np.empty(256, np.float32)
for kernel in (sum_columns, sum_rows):
    report = workbench.inspect(kernel[4, 64], x, out, gpu="nvidia_h100")
    print(f"{kernel.__name__}: {report.time}")

# %% [markdown]
# ## The transpose: one side must lose
#
# `out[col, row] = x[row, col]`. If the lanes run along a row of `x`, they run down a column of
# `out`. Whichever you choose, one of the two is a column.


# %%
@cuda.jit
def transpose_naive(x, out):
    col, row = cuda.grid(2)
    if row < x.shape[0] and col < x.shape[1]:
        out[col, row] = x[row, col]


x = np.random.default_rng(4).standard_normal((96, 64), dtype=np.float32)
out = np.empty((64, 96), np.float32)
report = workbench.inspect(transpose_naive[(2, 12), (32, 8)], x, out)
np.testing.assert_array_equal(out, x.T)
report

# %% [markdown]
# 4 sectors for the load, 32 for the store, in one line of source. The way out is a detour: bring a
# tile into memory that has no sectors, turn it there, and write it out along rows. That memory is
# *shared memory*, and it needs threads that wait for each other: notebook 04. This is what it
# brings; the kernel is on the shelf.

# %%
from workbench.kernels.transpose.cuda_3_padded import transpose_padded

report = workbench.inspect(transpose_padded[(2, 3), (32, 8)], x, out)
np.testing.assert_array_equal(out, x.T)
demand(report)

# %% [markdown]
# ## Your turn
#
# A picture is stored as red, green, blue, red, green, blue, ... Networks want three planes. Write
# `to_planes`: `planes[c, row, col] = image[row, col, c]`. One of the two sides cannot be perfect.
# Keep every **store** at 4 sectors a request, and no load above 12.


# %%
@cuda.jit
def to_planes(image, planes):
    col, row = cuda.grid(2)
    if row < image.shape[0] and col < image.shape[1]:
        for c in range(3):
            planes[c, row, col] = image[row, col, c]


# %%
for rows, cols in ((32, 64), (5, 7), (33, 70)):
    image = np.random.default_rng(5).random((rows, cols, 3), dtype=np.float32)
    planes = np.full((3, rows, cols), np.nan, np.float32)
    blocks = ((cols + 31) // 32, (rows + 7) // 8)
    report = workbench.inspect(to_planes[blocks, (32, 8)], image, planes)
    np.testing.assert_array_equal(planes, image.transpose(2, 0, 1))
    if cols % 32 == 0:
        demand(report, most_sectors=12)
        assert all(one.sectors_per_request <= 4 for one in report.accesses if one.kind == "store")
print("Right, and well moved.")

# %% [markdown]
# ## What real hardware would add
#
# Caches. A sector that was fetched for one request may serve the next from L1 or L2, so `sum_rows`
# is not always eight times slower on a GPU: the 12-sector loads of `to_planes` use every byte in
# the end. Nvidia's Nsight Compute shows the same number, *sectors per request*, measured by the
# chip's counters.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The ladder from a plain copy to a padded transpose is in
# `kernels/copy` and `kernels/transpose`.
#
# ## Where next
#
# Threads that wait for each other can share what they loaded. Notebook 04 shows how, and what
# happens when one of them does not wait.
