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
# # 07 · Build a device
#
# **The question:** what must PyTorch be told about a chip?
#
# **You will build** a device in five rungs (memory, storage, views, fallback, kernels) and measure
# after each how much of PyTorch works.
#
# **You need** notebook 01. No GPU, no compiler.
#
# **Minutes:** 60.

# %%
import subprocess
import sys

import torch

import workbench.torch_device as wb
from workbench.torch_device.core import memory

x = torch.arange(6.0, device="wb").reshape(2, 3)
x, x.device, wb.TIER

# %% [markdown]
# One import, and PyTorch has a device that it did not know: it took the slot *PrivateUse1*, where
# Huawei's torch_npu lives, too. There is one such slot in a process. `wb.TIER` says who answers:
# plain Python, or a small C++ shim in front of it.
#
# ## Rung 1: memory of its own
#
# A chip has its own memory, and the host must not read it. Here device memory is one file mapped
# twice. PyTorch gets addresses in a mapping that nobody may touch; kernels add `DELTA`.

# %%
print(hex(x.data_ptr()), "for PyTorch")
print(hex(x.data_ptr() + memory.DELTA), "for kernels")
print(memory.read(x.data_ptr(), 8).hex(" "), "the first two numbers, as bytes")

# %% [markdown]
# What happens to a program that reads the first address? It must happen to a child, because it
# ends there.

# %%
code = """
import ctypes, faulthandler, torch
import workbench.torch_device
faulthandler.enable()
x = torch.ones(3, device="wb")
print(ctypes.c_float.from_address(x.data_ptr()).value)
"""
child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
print("exit status", child.returncode)
print(child.stderr.splitlines()[0] if child.stderr else memory.WHY_NOT)

# %% [markdown]
# The program died, as it would with a pointer from `cudaMalloc`. This is the mistake of this
# notebook: the host may not read device memory. The next cell checks that it was really that.

# %%
assert not memory.FAULTS or child.returncode == -11, "expected signal 11, a segmentation fault"
assert "1.0" not in child.stdout

# %% [markdown]
# ## Rung 2: storage, and who gives it out
#
# Asking a driver for memory is slow, so every device keeps what was freed. Ask for memory, drop it,
# and ask again.

# %%
before = wb.memory_map()
big = torch.zeros(1000, 100, device="wb")
address, held = big.data_ptr(), wb.memory_map()
del big
again = torch.empty(1000, 100, device="wb")
assert again.data_ptr() == address, "the same block comes back"
{k: v for k, v in torch.wb.memory_stats().items() if "alloc" in k}

# %%
from workbench.widgets.memory_map import MemoryMap

MemoryMap({"before": before, "with 400 kB held": held, "now": wb.memory_map()})

# %%
try:
    torch.empty(1 << 33, device="wb")
except torch.OutOfMemoryError as error:
    print(error)

# %% [markdown]
# ## Rung 3: views
#
# A slice copies nothing: it is the same storage with other sizes and strides. PyTorch's own code
# for that never touches an element, so it serves any device.

# %%
column = x[:, 1]
column.add_(10)
assert column.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
x.cpu()

# %% [markdown]
# ## Rung 4: everything else falls back, and says so
#
# There are 676 operators that need a kernel for each device. An operator without one is computed by
# the CPU on the device's bytes. Nothing falls back without a trace: operator, bytes, line.

# %%
wb.reset()
torch.linalg.eigvals(torch.eye(3, device="wb"))
wb.FALLBACKS[-1]

# %% [markdown]
# ## Rung 5: kernels
#
# The device's own kernels are rows of a table: an expression, which becomes a loop that Numba
# compiles. PyTorch's own test suite brings samples for every operator. Run them, rung by rung: with
# views only, with the fallback, with kernels.

# %%
sample = ["t", "narrow", "permute", "exp", "add", "mul", "mm", "sum", "sort", "special.airy_ai"]
scores = [wb.score(name, max_samples=3) for name in sample]
for one in scores:
    answer = "itself" if one.native == one.passed else "with the CPU"
    print(f"{one.operator:16} {one.passed} of {one.passed + one.failed} right, {answer}")

# %%
views = sum(s.passed for s in scores[:3])
own = sum(s.native for s in scores)
everything = sum(s.passed for s in scores)
print(f"views alone {views}, own kernels {own}, with the fallback {everything}")
assert views < own < everything

# %%
from workbench.widgets.coverage_map import CoverageMap

CoverageMap(wb.coverage(), score=lambda name: wb.score(name, max_samples=4))

# %% [markdown]
# The whole score is `tests/conformance`'s business and takes minutes. What you see above is the
# same measure on ten operators.
#
# ## How a call finds its kernel
#
# PyTorch asks a table at each of several stages. Step through one call.

# %%
from workbench.widgets.dispatch_stepper import DispatchStepper

w = x.clone().requires_grad_()
DispatchStepper({"relu": wb.trace(torch.relu, w), "add": wb.trace(torch.add, w, w)})

# %% [markdown]
# ## Your turn
#
# Every rung must hold together: move a network to the device, run it, and come back.

# %%
net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
data = torch.randn(5, 8)
want = net(data)
got = net.to("wb")(data.to("wb")).cpu()
torch.testing.assert_close(got, want)
print("The device runs a network.")

# %% [markdown]
# ## What real hardware would add
#
# A driver, firmware, a compiler for the chip, and years of kernels. The list of what PyTorch must be
# told stays this one: allocate, view, copy, fall back, compute.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. The device is `workbench/torch_device/core`, to be read in
# an afternoon.
#
# ## Where next
#
# Notebook 08 gives the device kernels of yours.
