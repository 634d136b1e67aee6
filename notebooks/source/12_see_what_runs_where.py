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
# # 12 · See what runs where
#
# **The question:** will it run on Ascend?
#
# **You will build** the placement of a network on Huawei's and NVIDIA's own providers, with neither
# of the chips, and a sweep over opsets that shows a cliff.
#
# **You need** notebook 11. 22 MB of download for the first cell (without them a recording is played),
# no accelerator.
#
# **Minutes:** 40.

# %%
import numpy as np
import torch

from workbench import PlacementView, portability

cann = portability.reach("cann")
cuda = portability.reach("cuda", install=False)

# %% [markdown]
# Huawei's build of ONNX Runtime goes into an environment of its own, not into yours. Its provider is
# the one that runs on an Ascend card. Below it lies a stand-in for the card: host memory plays the
# device. What you see of *placement, copies and compiles* is Huawei's own code. Of *time* it says
# nothing, and we show none.
#
# NVIDIA's build is 256 MB. Where a build is not here, you see a recording of the same code, and each
# answer says so. For the real thing run `workbench providers add cuda` in a terminal.
#
# ## A network at two opsets


# %%
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.pool, self.norm = torch.nn.MaxPool2d(2), torch.nn.LayerNorm(128)
        self.out = torch.nn.Linear(128, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        x = self.norm(torch.flatten(self.pool(x), 1))
        return self.out(torch.nn.functional.gelu(x)).softmax(-1)


image = torch.randn(1, 3, 8, 8)
files = {opset: portability.export(Net(), (image,), opset=opset) for opset in (18, 20, 22)}
models = {opset: one.model for opset, one in files.items()}

# %% [markdown]
# ## Will it run there?
#
# `Preview` opens a session of the provider and asks the runtime where each node went. Huawei's has
# three modes: each operator by itself; the whole graph handed to the graph engine; or the parts of the
# graph that are on its list.

# %%
preview = cann.preview()
for mode in ("operators", "subgraphs", "graph"):
    print(preview(models[20], "cann", mode).sentence)

# %%
for node in preview(models[20], "cann", "operators").refused:
    print(f"{node.operator:20} {node.reason}")

# %% [markdown]
# ## How do we know?
#
# Three records tell where nodes run: the runtime's list of who got which node, the graph as it looks
# after optimisation, with the copies in it, and the profile of a run. None is complete. Nodes that were
# fused, folded or put in are explained; what is left is a disagreement, and is shown.

# %%
found = preview(models[22], "cann", "operators")
print(found.explain())
assert not found.disagreements
assert len(found.copies) > 0

# %% [markdown]
# ## The two vendors side by side

# %%
ways = {"cann": preview, "cuda": cuda.preview()}
for opset in models:
    for vendor, mode in (("cann", "operators"), ("cann", "subgraphs"), ("cuda", "")):
        found = ways[vendor](models[opset], vendor, mode)
        off = {node.operator for node in found.refused}
        print(f"opset {opset} {vendor:4} {mode:9} {found.on_device} of {len(found.nodes)}", off)

# %% [markdown]
# Each crossing between the lanes is a copy between host and device. Change the mode and the opset.


# %%
def ask(provider, mode, opset):
    return ways[provider](models[opset], provider, mode)


places = {"cann": ["operators", "subgraphs", "graph"], "cuda": [""]}
PlacementView(ask, places, sorted(models))

# %% [markdown]
# ## The first mistake: a newer opset is better
#
# Operators get new forms. A provider has kernels for the forms that its authors knew.

# %% tags=["raises-exception"]
sweep = portability.sweep(models, [("cann", "operators")], preview=preview)
taken = {step.opset: step.on_device for step in sweep.steps}
assert taken[22] >= taken[18], sweep.cliffs[-1].sentence

# %%
for cliff in sweep.cliffs:
    print(cliff.sentence)
print("best:", sweep.best)
assert sweep.best["cann operators"] == 18
assert any("Conv" in cliff.lost for cliff in sweep.cliffs)

# %% [markdown]
# ## The second mistake: it claims, so it can
#
# In its default mode the provider claims the whole graph and looks at no operator (ONNX Runtime issue
# 20617). The graph engine sees them first when the model runs.


# %% tags=["raises-exception"]
class Warp(torch.nn.Module):
    def forward(self, x, grid):
        return torch.nn.functional.grid_sample(x, grid, align_corners=False)


inputs = (torch.randn(1, 3, 8, 8), torch.zeros(1, 4, 4, 2))
warp = portability.export(Warp(), inputs)
print(preview(warp.model, "cann", "graph").sentence)
with cann.device() as device:
    device.open_session(warp.model, "graph").run(warp.feeds())

# %%
claimed = preview(warp.model, "cann", "graph", runs=[warp.feeds()])
listed = preview(warp.model, "cann", "subgraphs")
assert claimed.on_device == len(claimed.nodes)
assert "error" in claimed.runs[0]
assert "GridSample" in {node.operator for node in listed.refused}
print(listed.sentence)

# %% [markdown]
# ## The third mistake: no error means it ran there
#
# Asked for a provider that is not there, ONNX Runtime takes its CPU and says nothing. Ours raises, and
# names both.

# %% tags=["raises-exception"]
portability.open_session(models[18], "CANNExecutionProvider")

# %%
availability = portability.provider_availability("CANNExecutionProvider")
assert not availability.usable
print(availability.reason, "·", availability.remedy)

# %% [markdown]
# ## Your turn
#
# Choose the opset at which Huawei's graph engine takes the most nodes of this network.

# %%
my_opset = 18

# %%
shares = {
    opset: (found := preview(model, "cann", "subgraphs")).on_device / len(found.nodes)
    for opset, model in models.items()
}
print(shares)
assert np.isclose(shares[my_opset], max(shares.values())), "another opset has a larger share"
for way in ways.values():
    way.close()

# %% [markdown]
# ## What real hardware would add
#
# Times. And the truth about the graph engine: the stand-in compiles whatever has a kernel here.
#
# ## Take your work along
#
# `workbench port my.onnx --output report.html` makes all this, for any file of yours, as one page.
#
# ## Where next
#
# Notebook 13 turns the question round: what does the provider ask of a chip?
