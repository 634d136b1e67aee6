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
# # 06 · Speed up a network
#
# **The question:** how close to the limit?
#
# **You will build** nothing from scratch this time. You take the layers of real networks (AlexNet's
# first convolution, layer norm, GELU, attention), find out what binds each, and change that.
#
# **You need** notebooks 03 to 05. No GPU: times below are *modelled* from a data sheet, and say so.
#
# **Minutes:** 60.

# %%
import json
import math

import numpy as np

import workbench
from workbench import catalog, cuda
from workbench.errors import UnavailableError
from workbench.hardware import roofline

# %% [markdown]
# ## The roof
#
# A chip can do so many operations a second, and can move so many bytes a second. A kernel needs
# both. Divide its operations by its bytes, and you know which of the two runs out first. That
# number is the **arithmetic intensity**; the chip's own quotient is the **ridge**.

# %%
roof = roofline("nvidia_h100", "float32")
print(f"ridge: {roof.ridge[1]:.0f} operations a byte\n")
for name in ("saxpy", "bias_gelu", "layer_norm", "softmax", "conv2d", "attention", "matmul"):
    problem = catalog.load_problem(name)
    operations, moved = problem.operations(problem.size), problem.bytes_moved(problem.size)
    bound = "memory" if operations / moved < roof.ridge[0] else "arithmetic"
    least_us = roof.floor_ns(moved, operations) / 1e3
    print(
        f"{name:10} {operations / moved:6.1f} operations a byte: {bound}, {least_us:.2f} µs at least"
    )

# %% [markdown]
# The last column is the limit: every input read once, every output written once, every operation
# done at the peak of the data sheet. No kernel can beat it on this chip. Note how far to the left
# most of a network stands.
#
# ## First mistake: optimising what does not bind
#
# GELU needs the error function, which is expensive. So somebody drops it. `gelu_free` does nothing
# but add the bias. Surely that is faster?

# %%
HALF, ONE, ROOT_HALF = np.float32(0.5), np.float32(1), np.float32(math.sqrt(0.5))


@cuda.jit
def gelu_full(x, bias, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        z = x[row, col] + bias[col]
        out[row, col] = HALF * z * (ONE + math.erf(z * ROOT_HALF))


@cuda.jit
def gelu_free(x, bias, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        out[row, col] = x[row, col] + bias[col]


x, bias = catalog.load_problem("bias_gelu").inputs(128, seed=0)
out, grid, block = np.empty_like(x), (9, 16), (32, 8)
full = workbench.inspect(gelu_full[grid, block], x, bias, out)
free = workbench.inspect(gelu_free[grid, block], x, bias, out)

# %% tags=["raises-exception"]
saved = 1 - free.time.time_ns / full.time.time_ns
assert saved > 0.1, f"{100 * saved:.0f} % of the time saved: bound by {full.time.bound}"

# %%
assert free.operation_count < full.operation_count / 3
assert free.time.time_ns == full.time.time_ns
print("operations", full.operation_count, "->", free.operation_count)
print(full.time)

# %% [markdown]
# Not a nanosecond in the model. The arithmetic was done while waiting for memory. What helps is to
# move less. A framework that runs one kernel for each operator writes `x + bias` out and reads it
# back; **fusing** the two saves exactly that.


# %%
@cuda.jit
def gelu_alone(z, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        out[row, col] = HALF * z[row, col] * (ONE + math.erf(z[row, col] * ROOT_HALF))


biased = np.empty_like(x)
parts = [
    workbench.inspect(gelu_free[grid, block], x, bias, biased),
    workbench.inspect(gelu_alone[grid, block], biased, out),
]
two_ns = sum(part.time.time_ns for part in parts)
print(f"two kernels {two_ns:.0f} ns, fused {full.time.time_ns:.0f} ns (modelled)")
assert full.time.time_ns < 0.6 * two_ns

# %% [markdown]
# ## Second mistake: shared memory that nobody wrote
#
# Layer norm needs the mean of each row, so a block adds its row up in a tree. This one is right for
# rows of 128, the size that its author tried.


# %%
THREADS = 128


@cuda.jit
def row_means(x, out):
    partial = cuda.shared.array(THREADS, np.float32)
    row, t = cuda.blockIdx.x, cuda.threadIdx.x
    if t < x.shape[1]:
        partial[t] = x[row, t]
    cuda.syncthreads()
    step = THREADS // 2
    while step > 0:
        if t < step:
            partial[t] += partial[t + step]
        cuda.syncthreads()
        step //= 2
    if t == 0:
        out[row] = partial[0] / np.float32(x.shape[1])


rows = np.random.default_rng(1).standard_normal((4, 128), dtype=np.float32)
means = np.empty(4, np.float32)
workbench.sanitize(row_means[4, THREADS], rows, means).check()
np.testing.assert_allclose(means, rows.mean(axis=1), rtol=1e-4, atol=1e-6)

# %% tags=["raises-exception"]
short = np.ascontiguousarray(rows[:, :100])
workbench.sanitize(row_means[4, THREADS], short, means).check()

# %%
findings = workbench.sanitize(row_means[4, THREADS], short, means)
found = next(one for one in findings if one.kind == "uninitialised read")
assert (found.array, found.space) == ("partial", "shared")
print(found)

# %% [markdown]
# Shared memory is not cleared. On a GPU it holds what the block before left there, often zeros, so
# the test passes. Here it is poisoned for every block. The cure is half a line: give the idle threads
# something to write, as the shelf does: `partial[t] = x[row, t] if t < cols else 0`.
#
# ## Third mistake: a tile full of bank conflicts
#
# AlexNet's first layer: 64 filters of 3 x 11 x 11, moved by 4 pixels a step. Neighbouring outputs
# look at almost the same pixels, which asks for a tile in shared memory. Rung 1 of the ladder reads
# everything from global memory, rung 2 uses the tile. (Two filters are enough to look at.)

# %%
conv2d = catalog.load_problem("conv2d")
image, weights, bias = conv2d.inputs(19, seed=0)
inputs = (image, weights[:2], bias[:2])
rungs = {rung.name: rung.load() for rung in catalog.kernel_files("conv2d", "cuda")}


def look(kernel, block):
    outputs = conv2d.outputs(*inputs)
    report = workbench.inspect(kernel[(1, 1, 2), block], *inputs, *outputs)
    conv2d.check(outputs, inputs)
    return report


direct = look(rungs["cuda_1_direct"].conv2d_direct, (16, 16))
tiled = look(rungs["cuda_2_shared_tile"].conv2d_shared_tile, (8, 8))
for report in (direct, tiled):
    print(f"{report.kernel}: {report.bytes_moved:,} bytes, {report.time}")

# %% [markdown]
# A tenth of the bytes, and modelled *slower*. What binds it now? Shared memory, says the model. 32
# **banks** of 4 bytes serve one word each a turn. Lanes that need different words of one bank take
# turns.

# %%
for access in tiled.accesses:
    if access.space == "shared":
        print(f"line {access.line}: {access.kind} {access.text}: {access.bank_conflict_ways}-way")
reads = [one for one in tiled.accesses if one.kind == "load" and "STRIDE" in one.text]
assert reads[0].bank_conflict_ways == 4

# %% [markdown]
# The lanes stand 4 floats apart, so a warp meets in 8 of the 32 banks. Try other widths of the tile
# in the map: `padding` adds columns.

# %%
workbench.AccessMap(
    workbench.access_pattern(
        rungs["cuda_2_shared_tile"].conv2d_shared_tile[(1, 1, 2), (8, 8)],
        *inputs,
        *conv2d.outputs(*inputs),
        access="tile[ty * STRIDE + down, tx * STRIDE + right]",
        kind="load",
    )
)

# %% [markdown]
# No width helps, not even one more column, the cure for a transpose. (Why not? The rows of a warp
# stand four rows of the tile apart, so they begin a multiple of four banks apart, whatever the
# width.) Rung 3 sorts the columns of the tile by their place in the stride, so that neighbouring
# lanes read neighbouring banks.

# %%
sorted_tile = look(rungs["cuda_3_conflict_free"].conv2d_conflict_free, (8, 8))
print(sorted_tile.time)
assert sorted_tile.time.time_ns < 0.6 * tiled.time.time_ns

# %% [markdown]
# Still not better than the direct kernel in this model, which lets the caches catch every repeated
# read. A model tells you where to look, not who wins: only a measurement on the chip does.
#
# ## Occupancy
#
# While a warp waits for memory, another can run, if one is there. **Occupancy** is the number of
# warps that fit, and something always limits it: threads, blocks, registers or shared memory.

# %%
for report in (direct, tiled, sorted_tile):
    print(f"{report.kernel}: {report.occupancy}")

# %% [markdown]
# Registers are what the compiler decides, so the inspector does not guess them. Nvidia's compiler
# needs no GPU: with the `ptx` extra it runs here, and `exact=True` uses its answer. Without it you
# see what it said when this was recorded.

# %%
compiled = json.loads((catalog.folder("datasets") / "compiler" / "shelf_sm_90.json").read_text())
row = next(one for one in compiled["kernels"] if one["kernel"] == "conv2d_conflict_free")
launch = rungs["cuda_3_conflict_free"].conv2d_conflict_free[(1, 1, 2), (8, 8)]
try:
    report = workbench.inspect(launch, *inputs, *conv2d.outputs(*inputs), exact=True)
except UnavailableError as error:
    print(error)
    print(f"\nRecorded {compiled['date']}, nvcc {compiled['packages']['nvidia-cuda-nvcc']}:")
    registers = row["registers_per_thread"]
    report = workbench.inspect(launch, *inputs, *conv2d.outputs(*inputs), registers=registers)
print(report.occupancy)
print("registers of a thread:", report.occupancy.registers)

# %%
assert row["registers_per_thread"] > 100
assert report.occupancy.limiter == "registers"
assert report.occupancy.fraction < sorted_tile.occupancy.fraction / 2

# %% [markdown]
# Over a hundred registers a thread: the compiler unrolled both loops over the filter. Shared memory
# was not the limit at all. Whoever had made the tile smaller to raise the occupancy would have
# optimised what does not bind, for the second time in this notebook.
#
# ## Attention, the flash way
#
# Three simple kernels write a matrix of scores: tokens times tokens. The flash kernel never does.
# Watch what main memory must move at the least, as the number of tokens doubles.

# %%
from workbench.kernels.attention import cuda_1_three_steps as steps
from workbench.kernels.attention.cuda_3_flash import attention_flash

attention = catalog.load_problem("attention")


def three_steps(q, k, v, out):
    n = q.shape[1]
    scores = np.empty((1, n, n), np.float32)
    grid = ((n + 31) // 32, (n + 7) // 8, 1)
    return [
        workbench.inspect(steps.attention_scores[grid, (32, 8)], q, k, scores),
        workbench.inspect(steps.softmax_rows[(n + 31) // 32, 32], scores),
        workbench.inspect(steps.weighted_values[(1, (n + 7) // 8, 1), (32, 8)], scores, v, out),
    ]


for tokens in (16, 32, 64):
    q, k, v = (one[:1] for one in attention.inputs(tokens, seed=0))
    (out,) = attention.outputs(q, k, v)
    apart = sum(report.bytes_compulsory for report in three_steps(q, k, v, out))
    attention.check((out,), (q, k, v))
    flash = workbench.inspect(attention_flash[((tokens + 31) // 32, 1), (32, 4)], q, k, v, out)
    attention.check((out,), (q, k, v))
    print(f"{tokens} tokens: three steps {apart:,} bytes, flash {flash.bytes_compulsory:,}")

# %% [markdown]
# Flash doubles with the tokens. The three steps grow faster, since n tokens have n times n scores:
# at 2,000 tokens they move dozens of times as much. No approximation is involved: both compute the
# same attention.
#
# ## Your turn: fuse a residual
#
# Networks add a layer's input back to its output: `out = gelu(x + bias) + x`. Write it as one
# kernel. The check wants the right answer, no finding, and no more traffic than the fused GELU has.


# %%
@cuda.jit
def gelu_residual(x, bias, out):
    col, row = cuda.grid(2)
    if row < out.shape[0] and col < out.shape[1]:
        value = x[row, col]
        z = value + bias[col]
        out[row, col] = HALF * z * (ONE + math.erf(z * ROOT_HALF)) + value


# %%
gelu = catalog.load_problem("bias_gelu")
for size in (1, 15, 33):
    x, bias = gelu.inputs(size, seed=size)
    out, plain = np.full_like(x, np.nan), np.empty_like(x)
    launch = gelu_residual[((x.shape[1] + 31) // 32, (size + 7) // 8), (32, 8)]
    workbench.sanitize(launch, x, bias, out).check()
    np.testing.assert_allclose(out, gelu.reference(x, bias) + x, rtol=1e-4, atol=1e-5)
    report = workbench.inspect(launch, x, bias, out)
    fused = workbench.inspect(gelu_full[launch.grid, launch.block], x, bias, plain)
    assert report.bytes_moved <= fused.bytes_moved, "x is read twice"
print("Right, clean, and as lean as it can be.")

# %% [markdown]
# ## What real hardware would add
#
# The truth about time. Launches cost microseconds, which is more than most of the kernels above;
# caches hold less than everything; tensor cores multiply matrices in float16 many times faster than
# the float32 peak used here. Notebook 20 replays what real chips measured.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The ladders: `kernels/conv2d`, `kernels/attention`,
# `kernels/softmax`, `kernels/layer_norm`, `kernels/bias_gelu` with its backward.
#
# ## Where next
#
# You can write the kernels of a network. Part III asks what PyTorch needs to use them: notebook 07
# builds a device of your own.
