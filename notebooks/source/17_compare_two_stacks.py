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
# # 17 · Compare two stacks
#
# **The question:** what does each make you say?
#
# **You will build** a comparison of the same softmax and the same matrix product in CUDA and on the
# AI Core, and a check of a claim about chips: *"60 % of an H100"*.
#
# **You need** notebooks 05, 06, 15 and 16. No accelerator.
#
# **Minutes:** 40.

# %%
import inspect

import numpy as np

from workbench import aicore, catalog, hardware

# %% [markdown]
# ## One problem, two kernels
#
# Both files lie beside one `problem.py` and are held to the same float64 oracle.


# %%
def answer(problem, name, size=33):
    (file,) = (one for one in catalog.kernel_files(problem.name) if one.name == name)
    inputs = problem.inputs(size, seed=1)
    outputs = problem.outputs(*inputs)
    file.load().launch(*inputs, *outputs)
    return problem.check(outputs, inputs).max_abs_error


TWINS = {
    "softmax": ("cuda_2_block_per_row", "ascend_1_rows"),
    "matmul": ("cuda_3_tiled", "ascend_2_tiled"),
}
for problem, names in TWINS.items():
    for name in names:
        error = answer(catalog.load_problem(problem), name)
        print(f"{problem:8} {name:24} largest error {error:.1e}")

# %% [markdown]
# Read the two softmaxes.


# %%
def twin(problem, name):
    (file,) = (one for one in catalog.kernel_files(problem) if one.name == name)
    return file.load()


for name in TWINS["softmax"]:
    print(inspect.getsource(twin("softmax", name)))

# %% [markdown]
# ## What each makes you say
#
# Count the words of each dialect that are not arithmetic.

# %%
SAY = {
    "who am I": ("threadIdx", "blockIdx", "cuda.grid", "block_idx", "share("),
    "wait for others": ("syncthreads", "enqueue", "dequeue", "set_flag", "wait_flag", "sync_all"),
    "give out memory": ("shared.array", "Queue(", "scratch(", "allocate(", "free("),
    "move data": ("data_copy", "load_data", "fixpipe"),
    "compute on a tile": ("row_max", "row_sum", "broadcast", "aicore.sub", "aicore.exp", "mmad"),
}


def words(problem, name):
    text = inspect.getsource(twin(problem, name))
    return {topic: sum(text.count(word) for word in some) for topic, some in SAY.items()}


for one, names in TWINS.items():
    cuda_words, ascend_words = (words(one, name) for name in names)
    print(f"{one}: {'':14}CUDA  AI Core")
    for topic in SAY:
        print(f"  {topic:20}{cuda_words[topic]:4d}{ascend_words[topic]:9d}")

# %% [markdown]
# - **CUDA** makes you say what one *thread* does, and where threads meet. It hides when data move:
#   the hardware keeps thousands of threads in flight so that you need not know.
# - **The AI Core** makes you say when data move, where they lie and who waits. It hides the
#   threads: one instruction takes a whole tile, and a reduction is one word.
#
# So the mistakes differ. A barrier left out between threads is a race on shared memory; a wait left
# out between pipes is a race on UB. Both pass a test that runs once.
#
# ## The same kernel in Ascend C
#
# On a real chip you would write C++. Here is our softmax in it, to read: generated, compiled by
# nobody here; the number behind a call is that of its public documentation page.

# %%
rows = aicore.Shape((33, 100), np.dtype("float32"))
listing = aicore.to_ascend_c(twin("softmax", "ascend_1_rows").softmax_rows, (rows, rows))
print(listing)
assert "Not compiled" in listing

# %% [markdown]
# ## "60 % of an H100?"
#
# *"Ascend 910C delivers 60 % of H100 inference performance"*: said to be DeepSeek's own finding,
# reported by Tom's Hardware (4 February 2025), with no model, batch or length of text. What would it
# mean? Ask the data sheets for the peak of each.

# %% tags=["raises-exception"]
hardware.data_sheet("ascend_910c").value("compute_tflop_per_s", "float16", "dense")

# %%
claims = hardware.data_sheet("ascend_910c").band("compute_tflop_per_s", "float16", "dense")
assert not claims.agreed
for fact in (*claims.facts, *claims.disputed):
    print(f"{fact.value:6.0f} TFLOP/s  {fact.confidence:10} {fact.source} ({fact.as_of})")

# %% [markdown]
# The sources do not agree, so there is no such number, and the data sheet refuses to make one up.
# Take the band.

# %%
h100, c910 = hardware.roofline("nvidia_h100"), hardware.roofline("ascend_910c")
compute = [peak / h100.compute.low for peak in c910.compute]
width = [one / h100.bandwidth.low for one in c910.bandwidth]
print(f"compute: {compute[0]:.2f} to {compute[1]:.2f} of an H100")
print(f"bandwidth: {width[0]:.3f} of an H100")
assert 0.70 < compute[0] < compute[1] < 0.82

# %% [markdown]
# Writing tokens one by one is bound by bandwidth, reading a long prompt by compute. So 60 % means
# something else in each case: how well the chip is used, compared with the H100.

# %%
print(f"bound by bandwidth: {0.6 / width[0]:.0%} of the H100's efficiency")
low, high = sorted(0.6 / share for share in compute)
print(f"bound by compute: {low:.0%} to {high:.0%} of it")
assert round(0.6 / width[0], 2) == 0.63

# %% [markdown]
# ## The wrong denominator
#
# A paper reports 614 TFLOP/s on a 910C and calls it 86.8 % of the peak (AMLA, arXiv 2509.25224).
# Divide by each of the peaks that others give.

# %%
for fact in claims.facts:
    print(f"614 of {fact.value:4.0f} TFLOP/s = {614 / fact.value:.1%}   ({fact.source})")
lowest, highest = 614 / claims.high, 614 / claims.low
assert highest - lowest > 0.1, "the same measurement, ten points apart"

# %% [markdown]
# One measurement, and a utilisation between 77 and 87 %. A utilisation without its denominator says
# nothing. The same trap in another coat: an H100 has 1,979 TFLOP/s if you count zeros that it skips.

# %%
sheet = hardware.data_sheet("nvidia_h100")
for density in ("dense", "sparse"):
    peak = sheet.value("compute_tflop_per_s", "float16", density)
    print(f"{density:6} {peak:7.1f} TFLOP/s: 700 TFLOP/s measured would be {700 / peak:.0%}")

# %% [markdown]
# ## A whole rack
#
# CloudMatrix 384 against NVL72, as SemiAnalysis counted them in April 2025.

# %%
ours, theirs = (hardware.data_sheet(n) for n in ("cloudmatrix384", "nvidia_gb200_nvl72"))
rows = (("compute", "compute_tflop_per_s", "float16", "dense"), ("memory", "memory_gb"))
rows += (("bandwidth", "memory_bandwidth_tb_per_s"), ("power", "power_kw"), ("chips", "chip_count"))
ratio = {name: ours.value(*what) / theirs.value(*what) for name, *what in rows}
for name, value in ratio.items():
    print(f"{name:10} {value:.2f} times NVL72")
print(f"compute for each kW: {ratio['compute'] / ratio['power']:.2f} times")

# %% [markdown]
# ## Your turn
#
# "Our chip does 500 TFLOP/s on a kernel with 64 operations a byte." Which of these devices could do
# that at all? Fill in `possible`, then let the rooflines judge.

# %%
possible = {"nvidia_h100": False, "nvidia_b200": True, "ascend_910c": False, "amd_mi300x": False}

for device, answer in possible.items():
    most = hardware.roofline(device).attainable_gflop_per_s(64)[1] / 1e3
    print(f"{device:14} at most {most:6.1f} TFLOP/s at 64 operations a byte")
    assert answer == (most >= 500), f"{device}: look at the roof again"

# %% [markdown]
# ## What real hardware would add
#
# Measurements. `workbench targets` tells whether this machine has any of these chips; notebook 20
# replays recordings from some that you have not.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The data sheets are `datasets/hardware/*.toml`: add a value
# with its source, and every roofline uses it.
#
# ## Where next
#
# Notebook 18: how to measure so that a number deserves belief.
