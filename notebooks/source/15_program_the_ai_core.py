# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: all
#     formats: notebooks//ipynb,notebooks/source//py:percent
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
# # 15 · Program the AI Core
#
# **The question:** what if nothing is hidden?
#
# **You will build** a kernel for Huawei's AI Core in three stages, break it by leaving out one
# wait, and write saxpy yourself.
#
# **You need** notebooks 01 and 02. No accelerator: the values are computed here, the times are
# **modelled**.
#
# **Minutes:** 50.

# %%
import numpy as np

from workbench import BufferMap, PipeTimeline, aicore, catalog

# %% [markdown]
# ## The machine
#
# CUDA hides the way of the data behind threads: a warp that waits for memory is put aside, another
# one runs. An AI Core has no spare warps. It has units that work at the same time, each with its
# own queue of instructions:
#
# - **MTE2** brings data in, **V** (the Vector unit) computes, **MTE3** brings results out;
# - **M** (the Cube) multiplies matrices: notebook 16;
# - your Python is the **scalar** unit: it hands out the instructions and runs ahead.
#
# Between them lies a small buffer, **UB**. You say what lies where, and who waits for whom.

# %%
chip = aicore.chip("ascend_910b2")
print(chip.title, "has", chip.vector_cores, "Vector cores")
print(
    "UB of each:", chip.capacity("UB"), "bytes, addresses in steps of", chip.alignment_bytes["UB"]
)

# %% [markdown]
# ## CopyIn, Compute, CopyOut
#
# A **queue** owns a few buffers and hands them from one unit to the next: allocate, fill,
# *enqueue*; *dequeue*, use, *free*. Every block works on its own share of the vector.


# %%
def double(x, out, depth):
    source = aicore.Queue("VECIN", 2048, x.dtype, depth, name="in")
    result = aicore.Queue("VECOUT", 2048, x.dtype, depth, name="out")
    begin, end = aicore.share(x.size, 16)
    for start in range(begin, end, 2048):
        stop = min(start + 2048, end)
        tile = source.allocate(stop - start)
        aicore.data_copy_pad(tile, x[start:stop])  # CopyIn, on MTE2
        source.enqueue(tile)
        tile = source.dequeue()
        answer = result.allocate(stop - start)
        aicore.muls(answer, tile, 2.0)  # Compute, on V
        source.free(tile)
        result.enqueue(answer)
        answer = result.dequeue()
        aicore.data_copy_pad(out[start:stop], answer)  # CopyOut, on MTE3
        result.free(answer)


# %%
kernel = aicore.kernel(double)
x = np.random.default_rng(0).standard_normal(100_001, dtype=np.float32)
runs = {}
for name, depth in (("one buffer", 1), ("two buffers", 2)):
    out = np.full_like(x, np.nan)
    runs[name] = kernel[4](x, out, depth)
    np.testing.assert_array_equal(out, 2 * x)

# %% [markdown]
# Right both times, at an odd size, on four cores. Now the time, as a model sees it. Switch between
# one buffer and two, and look at the gaps: each is coloured by what the unit waits for.

# %%
PipeTimeline({name: run.timeline for name, run in runs.items()})

# %% [markdown]
# With two buffers, MTE2 fills one while V works on the other. That is all that *double buffering*
# means: `depth=2`. It costs room:

# %%
BufferMap(runs["two buffers"])

# %%
one, two = (run.timeline.elapsed_ns for run in runs.values())
print(f"one buffer takes {one / two:.2f} times as long, in the model")
assert one > 1.2 * two

# %% [markdown]
# ## When you ask for too much
#
# UB does not grow. Ask for four buffers of 64 KiB in each of two queues:


# %% tags=["raises-exception"]
@aicore.kernel
def too_much(x, out):
    aicore.Queue("VECIN", 16_384, x.dtype, depth=4, name="in")
    aicore.Queue("VECOUT", 16_384, x.dtype, depth=4, name="out")


too_much[1](x, out)

# %%
report = aicore.check(too_much, (x, out), 1)
assert [one.kind for one in report.findings] == ["overflow"]
assert "262144" in report.findings[0].message

# %% [markdown]
# "UB overflow" is the complaint seen most often by those who program these chips.
#
# ## Your turn: how deep can the queues be?
#
# `double` has two queues of 2,048 floats. Work out the largest depth for both that UB has room for;
# one more must not fit.

# %%
deepest = chip.capacity("UB") // (2 * 2048 * 4)

report = aicore.check(kernel, (x, out, deepest), 1)
assert report.clean, f"depth {deepest} does not fit: {report.findings[0].message}"
report = aicore.check(kernel, (x, out, deepest + 1), 1)
assert not report.clean, f"depth {deepest + 1} still fits: you can go deeper"
print(f"{deepest} buffers in each queue, and not one more")

# %% [markdown]
# ## When you forget to wait
#
# Queues set and await **events** for you. Without a queue you do it by hand: `set_flag("MTE2_V")`
# marks how far MTE2 has come, `wait_flag("MTE2_V")` stops V there. Here one pair is missing.


# %%
@aicore.kernel
def hasty(x, out):
    tile = aicore.scratch("UB", x.size, x.dtype, name="tile")
    aicore.data_copy(tile, x)
    aicore.muls(tile, tile, 2.0)
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(out, tile)


small = np.arange(1024, dtype=np.float32)
answer = np.full_like(small, np.nan)
hasty[1](small, answer)
np.testing.assert_array_equal(answer, 2 * small)

# %% [markdown]
# It passed! Here the instructions happened to be carried out in the order of the text. On the chip
# V does not wait for MTE2. Deal the same instructions out in other orders that the flags allow:

# %%
run = hasty[1](small, answer)
for seed in range(4):
    other = run.reordered(seed)["out"]
    print("order", seed, "wrong elements:", int((other != 2 * small).sum()), "starts", other[:3])

# %% [markdown]
# Some are right, some are not: that is what makes such a mistake hard to find by testing.
# `aicore.check` looks at what the flags **promise**, and looks for an order that shows it.

# %% tags=["raises-exception"]
aicore.check(hasty, (small, answer), 1).require_clean()

# %%
(finding,) = aicore.check(hasty, (small, answer), 1).findings
assert finding.kind == "missing_wait"
assert finding.changes_result, "an allowed order gives other numbers"
for site in finding.sites:
    print(f"line {site.line}: {site.source}")
print(finding.buffer, "bytes", finding.start, "to", finding.stop)

# %% [markdown]
# Mend it. One wait is missing between the two lines that were named.


# %%
@aicore.kernel
def patient(x, out):
    tile = aicore.scratch("UB", x.size, x.dtype, name="tile")
    aicore.data_copy(tile, x)
    aicore.set_flag("MTE2_V")
    aicore.wait_flag("MTE2_V")
    aicore.muls(tile, tile, 2.0)
    aicore.set_flag("V_MTE3")
    aicore.wait_flag("V_MTE3")
    aicore.data_copy(out, tile)


aicore.check(patient, (small, answer), 1).require_clean()

# %% [markdown]
# ## Your turn
#
# Write saxpy, `out = a * x + y`, with three queues. `aicore.axpy(dst, src, a)` adds `a * src` to
# `dst`. The solution below is one of many; delete its body and try.


# %%
@aicore.kernel
def my_saxpy(a, x, y, out):
    first = aicore.Queue("VECIN", 1024, x.dtype)
    second = aicore.Queue("VECIN", 1024, x.dtype)
    result = aicore.Queue("VECOUT", 1024, x.dtype)
    begin, end = aicore.share(x.size, 16)
    for start in range(begin, end, 1024):
        part = slice(start, min(start + 1024, end))
        for queue, source in ((first, x), (second, y)):
            tile = queue.allocate(part.stop - part.start)
            aicore.data_copy_pad(tile, source[part])
            queue.enqueue(tile)
        left, right = first.dequeue(), second.dequeue()
        total = result.allocate(part.stop - part.start)
        aicore.adds(total, right, 0.0)
        aicore.axpy(total, left, a)
        first.free(left)
        second.free(right)
        result.enqueue(total)
        total = result.dequeue()
        aicore.data_copy_pad(out[part], total)
        result.free(total)


# %%
problem = catalog.load_problem("saxpy")
for size in (1, 31, 5000):
    for blocks in (1, 7, 48):
        inputs = problem.inputs(size, seed=size)
        outputs = problem.outputs(*inputs)
        my_saxpy[blocks](*inputs, *outputs)
        problem.check(outputs, inputs)
        aicore.check(my_saxpy, (*inputs, *outputs), blocks).require_clean()
print("Right on 1 to 48 cores, and nothing is left to chance.")

# %% [markdown]
# ## What real hardware would add
#
# The truth about time: the latency of each copy, the launch, the memory that all cores share under
# load. A model elsewhere said 28.6 µs for what took 147.9 µs on the board. Our times stand in a
# table of their own and are never ranked with measurements.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. `run.timeline.save_chrome_trace("trace.json")` keeps a
# timeline for any trace viewer. The shelf's kernels are `kernels/*/ascend_*.py`.
#
# ## Where next
#
# Notebook 16 feeds the Cube, which is what the chip is built for.
