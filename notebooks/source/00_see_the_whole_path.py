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
# # 00 · See the whole path
#
# **The question:** why is the software the moat?
#
# **You will build** nothing yet. You take one small network from a hand-written GPU kernel to
# PyTorch, to an ONNX file, and to every place on this machine that can run it.
#
# **You need** nothing but this notebook. No GPU.
#
# **Minutes:** 20.
#
# ## Two stacks
#
# ![The two stacks, and the notebooks where you can touch each part](pictures/two_stacks.svg)
#
# Nvidia's chips are good. What others find hard to match is what lies on them: CUDA since 2007, the
# libraries cuBLAS and cuDNN, and PyTorch, which grew up on both. A model that says `"cuda"` runs on
# a chip by Nvidia, and moving it means moving every layer under it.

# %% [markdown]
# Huawei answers on three fronts. **A stack of its own:** CANN, its language Ascend C and the
# framework MindSpore. **PyTorch from outside:** `torch_npu` registers a device that PyTorch does not
# know. **ONNX:** a file format that carries a model trained on one chip over to another.
#
# | part | who plays it at Nvidia | at Huawei | you touch it in |
# | --- | --- | --- | --- |
# | the model | PyTorch | PyTorch, MindSpore | 00, 06, 08 |
# | the device in PyTorch | `torch.cuda`, in the tree | `torch_npu`, out of the tree | 07 to 10 |
# | tuned operators | cuBLAS, cuDNN | CANN's operator library | 08, 13 |
# | the language of kernels | CUDA C++, Numba CUDA, Triton | Ascend C | 01 to 06, 15 to 17 |
# | the file that travels | ONNX | ONNX | 11 |
# | what runs that file | ONNX Runtime with CUDA | ONNX Runtime with CANN | 12 to 14 |

# %%
import time

import numpy as np
import torch

from workbench import catalog, cuda, digits, portability, targets
from workbench.kernels.alexnet import model

problem = catalog.load_problem("alexnet")
torch.set_num_threads(1)

# %% [markdown]
# ## Station 1: the model, in PyTorch
#
# The digits are real: 1,797 handwritten ones that come with scikit-learn. The network is a small
# relative of AlexNet, with three convolutions and two linear layers. Its weights ship with the
# workbench; they are tensors and nothing else (`weights_only`).

# %%
test = digits.load("test")
network = model.load()
print(f"{sum(p.numel() for p in network.parameters()):,} parameters")
print(f"{model.accuracy(network, test):.1%} of {len(test.labels)} unseen digits are named rightly")

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 8, figsize=(8, 1.3))
with torch.inference_mode():
    guesses = network(torch.tensor(test.images[:8])).argmax(1)
for axis, image, guess in zip(axes, test.images, guesses, strict=False):
    axis.imshow(image[0], cmap="gray_r")
    axis.set_title(int(guess))
    axis.axis("off")

# %% [markdown]
# **Optional:** train it yourself. It takes under a minute on one core, and much longer on Binder,
# which may give you a hundredth of one. Set `TRAIN = True`.

# %%
TRAIN = False

if TRAIN:
    from rich.progress import track

    network = model.train(progress=track)
    print(f"{model.accuracy(network, test):.1%}")

# %% [markdown]
# ## Station 2: its first layer, as a GPU kernel
#
# Under `network.conv1` lies a kernel that somebody wrote. Here is one of ours, in Numba CUDA: one
# thread for each pixel of each output channel. Notebook 01 starts from the beginning.


# %%
@cuda.jit
def conv1(image, weight, bias, out):
    channel, row, column = cuda.grid(3)
    if channel < out.shape[0] and row < out.shape[1] and column < out.shape[2]:
        total = bias[channel]
        for i in range(5):
            for j in range(5):
                y, x = row + i - 2, column + j - 2
                if 0 <= y < image.shape[0] and 0 <= x < image.shape[1]:
                    total += image[y, x] * weight[channel, 0, i, j]
        out[channel, row, column] = total


# %%
weights = model.weights()
out = np.full((16, 8, 8), np.nan, dtype=np.float32)
image = np.ascontiguousarray(test.images[0, 0])
conv1[(4, 1, 1), (4, 8, 8)](image, weights["conv1.weight"], weights["conv1.bias"], out)

with torch.inference_mode():
    by_torch = network.conv1(torch.tensor(test.images[:1]))[0].numpy()
print("largest difference from PyTorch's layer:", np.abs(out - by_torch).max())
np.testing.assert_allclose(out, by_torch, rtol=1e-4, atol=1e-5)

# %% [markdown]
# No GPU took part: the kernel ran on this CPU. Under PyTorch on a real GPU, this layer would have
# been cuDNN's: years of work by many people, which is what a newcomer has to match.
#
# ## Station 3: the model as a file
#
# ONNX describes the same network as a graph of standard operators. Does it survive the journey?
# An export that runs proves nothing; compare the answers.

# %%
images = torch.tensor(test.images[:32])
exported = portability.export(network, (images,), dynamic={"images": {0: "batch"}})
print(", ".join(node.op_type for node in exported.model.graph.node))

# %%
session = portability.open_session(exported.model, "CPUExecutionProvider")
by_onnx = session.run([test.images])[0]
with torch.inference_mode():
    by_torch = network(torch.tensor(test.images)).numpy()
print("largest difference of a logit:", np.abs(by_onnx - by_torch).max())
np.testing.assert_allclose(by_onnx, by_torch, rtol=1e-3, atol=1e-4)

# %% [markdown]
# ## Station 4: the places that can run it
#
# Each place is asked whether it is here, and whether it can take this problem. A place that cannot
# says why, and what to do. Nothing falls back to another place without a word.

# %%
usable = []
for target in targets.everything():
    answer = target.probe()
    answer = target.supports(problem) if answer else answer
    print(f"{'yes' if answer else 'no ':3}  {target.name:14} {answer.reason}")
    usable += [target.name] if answer else []

# %% [markdown]
# ## The mistake: believing the first number
#
# Two runs of the *same* function. Which is faster?


# %%
def milliseconds(function, *arguments):
    started = time.perf_counter_ns()
    function(*arguments)
    return (time.perf_counter_ns() - started) / 1e6


with torch.inference_mode():
    first, second = (milliseconds(network, images) for _ in range(2))
print(
    f"first {first:.2f} ms, second {second:.2f} ms: {max(first, second) / min(first, second):.2f}x"
)

# %% [markdown]
# Run that cell a few times. Identical functions, timed one after the other, look different again
# and again: the first call loads and allocates, and the machine does other things meanwhile. So a
# race here always carries an **A/A control**: a second copy of one lane. What that lane shows is
# noise, and a difference no larger than it means nothing.
#
# ## Station 5: a live race
#
# Press **Start**. The calls are measured in a process of their own, in random order, so **Stop**
# works at any moment. Every answer is checked against a float64 reference while it is timed.

# %%
from workbench import Race

race = Race("alexnet", size=32, seconds=3)
race

# %% [markdown]
# The same from code, which is what runs when nobody is there to press the button:

# %%
race.start().join(60)
print(race.sentence())

# %% [markdown]
# Read the picture in this order: the accuracy first, then the control lane, then the ratio with its
# interval. A lane that is fast and wrong has lost.
#
# ## The check
#
# Every place that says it can must give the right answer, at a size that is odd. A wrong one raises.

# %%
inputs = problem.inputs(5, seed=7)
for name in usable:
    with targets.find(name).prepare(problem, inputs) as runner:
        runner.run()
        accuracy = problem.check(runner.fetch(), inputs)
    print(f"{name:14} largest error {accuracy.max_abs_error:.1e}")

# %% [markdown]
# ## What real hardware would add
#
# Speed, and new reasons to say no: a driver that is too old, a library that is missing, an operator
# that the provider does not have. `workbench targets --explain` lists what this machine lacks.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The next cell keeps the model: it is a plain ONNX file, and
# any runtime takes it.

# %%
from pathlib import Path

import onnx

kept = Path("digits.onnx")
onnx.save(exported.model, kept)
print(f"{kept}: {kept.stat().st_size:,} bytes")
kept.unlink()  # leave this line out to keep it

# %% [markdown]
# ## Where next
#
# - Write kernels: **01**. From PyTorch down: **07**. The file and who runs it: **11**. The other
#   way to program: **15**. How not to fool yourself: **18**.
