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
# # 08 · Give it kernels
#
# **The question:** what does a vendor library buy?
#
# **You will build** kernels behind `add` and `relu`, and train a small AlexNet-style network with
# your kernel inside, on your device and on the CPU.
#
# **You need** notebooks 01 and 07. No GPU.
#
# **Minutes:** 50.

# %%
import time

import numpy as np
import torch

import workbench.torch_device as wb
from workbench import cuda

wb.vendor_library(False)

# %% [markdown]
# `wb.vendor_library(False)` leaves everything to the device's own kernels. We come back to it.
#
# ## A kernel behind an operator
#
# `wb.register` puts a function behind an operator. It is given arrays over device memory, inputs
# first, and writes into the outputs. This is the kernel of notebook 01.


# %%
@cuda.jit
def relu_kernel(x, out):
    i = cuda.grid(1)
    if i < out.size:
        out[i] = max(x[i], np.float32(0))


def relu(x, out):
    threads = 128
    blocks = (out.size + threads - 1) // threads
    if blocks:
        relu_kernel[blocks, threads](x.reshape(-1), out.reshape(-1))


# %%
mine = wb.register("aten::relu", relu)
x = torch.randn(3, 4, device="wb")
torch.testing.assert_close(torch.relu(x).cpu(), x.cpu().relu())
print("your kernel ran", mine.calls, "time(s)")

# %% [markdown]
# One right answer proves little. PyTorch's test suite has samples for each operator, with empty
# tensors and with numbers alone. `wb.score` runs them all.

# %%
print(wb.score("relu"))

# %% [markdown]
# ## The mistake: memory is not a line
#
# `add` looks as easy. This kernel takes each tensor's memory as one line of numbers, as a bare
# pointer would give it.


# %%
def add_as_lines(a, b, out):
    out[:] = a + b


with wb.register("aten::add", add_as_lines, layout="memory"):
    a = torch.randn(4, 6, device="wb")
    torch.testing.assert_close((a + a).cpu(), a.cpu() + a.cpu())
    wrong = wb.score("add")
print(wrong)

# %% [markdown]
# The first sum was right: both tensors were contiguous and of one shape. The samples are not all so.
# A tensor may be a view with strides, or be broadcast along a dimension, and then its memory is not
# the line that you see. The samples caught it.

# %%
assert wrong.failed > 0
assert wrong.passed > 0, "right for contiguous tensors, and only for them"
print("failed:", wrong.failed, "of", wrong.failed + wrong.passed)

# %% [markdown]
# The cure is to know the strides, or to ask for contiguous copies, which is what `register` does
# where you do not say `layout="memory"`.


# %%
def add(a, b, alpha_or_out, out=None):
    alpha, out = (1, alpha_or_out) if out is None else (alpha_or_out, out)
    np.add(a, alpha * b, out=out, casting="unsafe")


with wb.register("aten::add", add):
    right = wb.score("add")
print(right)
assert right.failed == 0

# %% [markdown]
# ## A network with your kernel inside
#
# The network has the shape of AlexNet: convolutions with relu and pooling, then linear layers. Train
# it on digits, on the CPU and on the device, from the same start. Your `relu` runs in every layer.

# %%
from sklearn.datasets import load_digits

digits = load_digits()
images = torch.tensor(digits.images[:256] / 16, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target[:256])


def network():
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip


# %%
def train(device, steps=8):
    net = network().to(device)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9)
    x, y, losses = images.to(device), labels.to(device), []
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


# %%
wb.reset()
calls = mine.calls
on_wb, on_cpu = train("wb"), train("cpu")
print("wb ", [round(v, 4) for v in on_wb])
print("cpu", [round(v, 4) for v in on_cpu])
print("your relu ran", mine.calls - calls, "times; fallbacks:", sum(wb.LOG.values()))
np.testing.assert_allclose(on_wb, on_cpu, rtol=1e-3)
assert mine.calls > calls

# %% [markdown]
# Eight losses, equal to three digits, and no operator left the device.
#
# ## What a vendor library buys
#
# CUDA has cuBLAS and cuDNN. This device has the CPU's BLAS and oneDNN, run in place on its memory.
# Switch it on and train again.

# %%
mine.remove()


def seconds(vendor):
    wb.vendor_library(vendor)
    train("wb", 2)
    samples = []
    for _ in range(5):
        start = time.perf_counter()
        train("wb", 2)
        samples.append(time.perf_counter() - start)
    return sorted(samples)


own, bought = seconds(False), seconds(True)
print(f"own kernels    median {own[2] * 1e3:.0f} ms, {own[0] * 1e3:.0f} to {own[-1] * 1e3:.0f}")
print(f"vendor library median {bought[2] * 1e3:.0f} ms, {bought[0] * 1e3:.0f} to "
      f"{bought[-1] * 1e3:.0f} (both measured here)")  # fmt: skip

# %%
a = torch.randn(512, 512, device="wb")
for vendor in (False, True):
    wb.vendor_library(vendor)
    a @ a
    torch.wb.synchronize()
    start = time.perf_counter()
    a @ a
    torch.wb.synchronize()  # without it you would time the queueing
    taken = time.perf_counter() - start
    print(f"vendor {vendor!s:5}  {2 * 512**3 / taken / 1e9:6.1f} GFLOP/s (measured, one call)")

# %% [markdown]
# For a tiny network the difference is small; for a matrix product it is not. This gap, over a
# thousand operators and every shape, is what a newcomer's chip must close before anyone calls it
# fast.
#
# ## Your turn
#
# `silu` is `x * sigmoid(x)`. Put a kernel behind it that passes every sample.


# %%
def silu(x, out):
    np.copyto(out, x / (1 + np.exp(-x)))


with wb.register("aten::silu", silu):
    score = wb.score("nn.functional.silu")
print(score)
assert score.passed > 0
assert score.failed == 0

# %% [markdown]
# ## What real hardware would add
#
# Launch latency, and kernels tuned for each shape. The samples are the same ones: torch_npu and
# every other device are held to PyTorch's OpInfo tests.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. `print(wb.stub("special_airy_ai"))` writes the skeleton of
# an operator that the device lacks.
#
# ## Where next
#
# Why did the clock need `synchronize`? Because the product was queued, and Python went on. Notebook
# 09 is about that queue.
