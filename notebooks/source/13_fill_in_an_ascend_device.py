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
# # 13 · Fill in an Ascend device
#
# **The question:** what does Huawei's provider ask of a chip?
#
# **You will build** `Conv2D`, `MatMul` and `Softmax` behind the unmodified provider, and count what it
# does to your device.
#
# **You need** notebook 12, and its 22 MB (without them a recording is played). No accelerator.
#
# **Minutes:** 45.

# %%
import numpy as np
import torch

from workbench import portability

cann = portability.reach("cann")

# %% [markdown]
# It says whether Huawei's provider runs here. Where it cannot be had, you hear a recording of it: what
# it asked, copied and compiled. Your kernels run now, either way.
#
# ## An empty device
#
# The provider is Huawei's. The card is yours to fill in: a dictionary of kernels by the names that the
# provider calls. At first there are none.


# %%
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.weight = torch.nn.Parameter(torch.randn(512, 10) / 20)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return torch.softmax(torch.flatten(x, 1) @ self.weight, -1)


torch.manual_seed(0)
net = portability.export(Net(), (torch.randn(2, 3, 8, 8),), opset=18, dynamic={"x": {0: "n"}})
cpu = portability.open_session(net.model)

# %% tags=["raises-exception"]
device = cann.device(kernels={})
session = device.open_session(net.model, "operators")
session.run(net.feeds())

# %% [markdown]
# In this mode the provider calls one operator after another. It asked for one that you have not
# written, and the error says how it would be called.
#
# %%
assert device.counters()["kernels"] == 1  # it was asked for once
assert not device.runs

# %% [markdown]
# ## Fill it in
#
# A kernel gets the attributes as a dictionary, then the inputs. `Conv2D` is a product over windows:
# the strides begin with 1, 1 for batch and channels, the pads are top, left, bottom, right.

# %%
from numpy.lib.stride_tricks import sliding_window_view


@device.kernel("Conv2D")
def conv2d(attributes, x, weights, bias=None):
    top, left, bottom, right = attributes["pads"]
    padded = np.pad(x, [(0, 0), (0, 0), (top, bottom), (left, right)])
    windows = sliding_window_view(padded, weights.shape[2:], axis=(2, 3))
    windows = windows[:, :, :: attributes["strides"][2], :: attributes["strides"][3]]
    result = np.einsum("nchwij,kcij->nkhw", windows, weights, optimize=True)
    return result if bias is None else result + bias[:, None, None]


# %%
@device.kernel("Relu")
def relu(attributes, x):
    return np.maximum(x, 0)


@device.kernel("MatMul")
def matmul(attributes, a, b):
    return a @ b


device.counters(reset=True)
answer = session.run(net.feeds())[0]
np.testing.assert_allclose(answer, cpu.run(net.feeds())[0], atol=1e-5)
print(session.nodes_by_provider())

# %% [markdown]
# The provider copied what it needed to the device and back. These counts are of its own doing.

# %%
for name, value in device.counters().items():
    print(f"{name:20} {value}")
print(dict(device.runs))
assert device.counters()["kernels"] == sum(device.runs.values())

# %% [markdown]
# `Softmax` ran on the host: in this mode the provider has none. In its graph mode the whole network is
# compiled for the device, and your kernels are the operators of the graph.


# %%
@device.kernel("Softmax")
def softmax(attributes, x):
    axis = attributes["axis"]
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


whole = device.open_session(net.model, "graph")
device.counters(reset=True)
np.testing.assert_allclose(whole.run(net.feeds())[0], cpu.run(net.feeds())[0], atol=1e-5)
print(dict(device.runs), device.counters()["compiles"], "compile")
assert device.runs["Softmax"] == 1

# %% [markdown]
# ## The mistake: a batch of any size
#
# The graph engine compiles for fixed shapes. The batch is open, and a server takes what comes.


# %%
def serve(session, batches):
    compiles = []
    for batch in batches:
        device.counters(reset=True)
        session.run([np.zeros((batch, 3, 8, 8), np.float32)])
        compiles.append(device.counters()["compiles"])
    return compiles


requests = [1, 5, 3, 5, 2, 7, 4, 6]

# %% tags=["raises-exception"]
fresh = device.open_session(net.model, "graph")
compiles = serve(fresh, requests)
assert sum(compiles) <= 2, f"{sum(compiles)} compiles for {len(requests)} requests: {compiles}"

# %%
assert compiles == [1, 1, 1, 0, 1, 1, 1, 1]
print("one compile for each new size:", device.compiled_shapes[-3:])

# %% [markdown]
# On a card each of these takes seconds to minutes. Users see hundreds (PaddleOCR issue 15516).
#
# ## Your turn
#
# Write `padded`, so that at most two sizes ever reach the device, and the answers stay right.


# %%
def padded(session, x, sizes=(4, 8)):
    size = next(s for s in sizes if s >= len(x))
    filled = np.zeros((size, *x.shape[1:]), x.dtype)
    filled[: len(x)] = x
    return session.run([filled])[0][: len(x)]


# %%
fresh = device.open_session(net.model, "graph")
device.counters(reset=True)
rng = np.random.default_rng(0)
for batch in requests:
    x = rng.standard_normal((batch, 3, 8, 8), dtype=np.float32)
    np.testing.assert_allclose(padded(fresh, x), cpu.run([x])[0], atol=1e-5)
assert device.counters()["compiles"] <= 2
print("Right, with", device.counters()["compiles"], "compiles.")
device.close()

# %% [markdown]
# ## What real hardware would add
#
# Times, precision (the documented default computes in float16), and the graph engine's own operators.
#
# ## Take your work along
#
# The kernels are plain functions. `cann.device()` without an argument comes with all of them filled in.
#
# ## Where next
#
# Notebook 14 stands on the other side: you write the provider. Notebook 15 programs the AI Core that
# such kernels run on.
