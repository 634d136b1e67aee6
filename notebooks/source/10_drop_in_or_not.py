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
# # 10 · Drop in or not
#
# **The question:** would anyone notice the switch?
#
# **You will build** a training step written for `cuda`, and make it run elsewhere: autocast, compile,
# checkpoints. At each place you see what Huawei's torch_npu does.
#
# **You need** notebooks 07 and 09. No GPU.
#
# **Minutes:** 35.

# %%
import io

import torch

import workbench.torch_device as wb

print(torch.accelerator.current_accelerator(), torch.accelerator.device_count())

# %% [markdown]
# ## The string
#
# Most projects name their device in a string. This is such a project, in one line.

# %% tags=["raises-exception"]
model = torch.nn.Linear(8, 8).to("cuda")

# %% [markdown]
# The string decided. `torch.accelerator` does not name one, and gives whatever is there; the next
# cell asserts that this is our device.

# %%
device = torch.accelerator.current_accelerator()
assert device.type == "wb"
model = torch.nn.Linear(8, 8).to(device)
next(model.parameters()).device

# %% [markdown]
# torch_npu takes another way: `import torch_npu.contrib.transfer_to_npu` patches PyTorch so that
# `"cuda"` means `"npu"`. That moves a script in one line, and hides which strings were wrong. torch_npu
# is loaded by an *entry point* named `torch.backends`, without an import in your program; ours is not.

# %%
from importlib.metadata import entry_points

print([e.name for e in entry_points(group="torch.backends")])
assert not any("workbench" in e.value for e in entry_points(group="torch.backends"))

# %% [markdown]
# ## Mixed precision
#
# Autocast keeps a list of operators per device: matrix products go down, sums and losses stay up. A
# device that has no list computes everything in float32, and nobody notices but the clock.

# %%
x = torch.randn(4, 8, device=device)
with torch.autocast(device.type, dtype=torch.bfloat16):
    hidden = model(x)
    loss = torch.nn.functional.mse_loss(hidden, torch.zeros_like(hidden))
print(hidden.dtype, loss.dtype)
assert hidden.dtype == torch.bfloat16
assert loss.dtype == torch.float32

# %%
scaler = torch.amp.GradScaler(device.type)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2)
with torch.autocast(device.type, dtype=torch.float16):
    loss = model(x).square().mean()
scaler.scale(loss).backward()
scaler.step(optimiser)
scaler.update()
print("scale", scaler.get_scale(), "loss", loss.item())

# %% [markdown]
# ## The silent fallback
#
# The worst port is one that works. An operator that the device lacks runs on the CPU, over copies,
# and only the bill shows it. Users of torch_npu report a warning without a reason (Ascend/pytorch
# issue #40); `wb` counts each one, with the line.

# %%
wb.reset()
torch.linalg.svd(torch.randn(16, 16, device=device))
for one in wb.FALLBACKS:
    print(one.operator, one.bytes_moved, "bytes,", one.line.rpartition("/")[2])

# %% [markdown]
# In strict mode the same call is refused.

# %% tags=["raises-exception"]
wb.strict(True)
torch.linalg.svd(torch.randn(16, 16, device=device))

# %%
assert wb.strict(False) is True, "strict mode was on"
assert "aten::_linalg_svd.U" in wb.LOG or "aten::_linalg_svd" in wb.LOG

# %% [markdown]
# ## The other string: `backend == "nccl"`
#
# Programs also name the collective library. Each device has its own: NCCL, HCCL, here `wbccl`. Ask
# PyTorch which one belongs to the device.

# %%
import torch.distributed as dist

backend = dist.get_default_backend_for_device(device)
print(backend)
assert backend == "wbccl"

# %% [markdown]
# ## Compile
#
# `torch.compile` asks the device for a compiler. Inductor does not know this one; our backend joins
# chains of elementwise operators into one loop.


# %%
def activation(x):
    return torch.sigmoid(x) * x + torch.exp(-x * x)


fast = torch.compile(activation, backend=wb.compile_backend)
y = torch.randn(1000, device=device)
torch.testing.assert_close(fast(y).cpu(), activation(y).cpu())

# %%
from workbench.torch_device import compiling

for kernel in compiling.report():
    print(len(kernel.operators), "operators:", kernel.expression)
assert any(len(kernel.operators) > 1 for kernel in compiling.report())

# %% [markdown]
# ## Checkpoints
#
# A file remembers the device it was saved on. Loading without `map_location` on a machine that lacks
# it fails there, not here.

# %%
file = io.BytesIO()
torch.save(model.state_dict(), file)
file.seek(0)
print(next(iter(torch.load(file).values())).device)
file.seek(0)
print(next(iter(torch.load(file, map_location="cpu").values())).device)

# %% [markdown]
# ## Your turn
#
# `step` was written for `cuda`. Make it run on whatever accelerator there is, and on the CPU.


# %%
def step(device):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 1))
    net.to(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2)
    data = torch.linspace(-1, 1, 64).reshape(8, 8).to(device)
    for _ in range(5):
        loss = net(data).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


# %%
here, there = step(torch.accelerator.current_accelerator()), step("cpu")
print(here, there)
assert abs(here - there) < 1e-4 * abs(there)
print("Nobody noticed.")

# %% [markdown]
# ## What real hardware would add
#
# Numbers that differ in the last digits, operators that are slow without falling back, and versions
# of driver, firmware and package that must fit each other.
#
# ## Take your work along
#
# *File > Download* keeps this notebook.
#
# ## Where next
#
# Notebook 11 leaves PyTorch altogether: ONNX, the file that is meant to run everywhere.
