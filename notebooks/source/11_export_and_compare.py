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
# # 11 · Export and compare
#
# **The question:** what survives the PDF of models?
#
# **You will build** an exported network with an open batch size, a custom operator exported in two
# ways, and a comparison that names the line where two runs part.
#
# **You need** notebook 08, or any PyTorch. No accelerator.
#
# **Minutes:** 40.

# %%
import numpy as np
import onnxscript
import torch
from onnxscript import opset18 as op

from workbench import DivergenceView, portability

# %% [markdown]
# ## A network, and its document
#
# ONNX describes a network as nodes of standard operators. PyTorch's exporter writes it. Ours adds
# three promises: the opset you asked for or an error, a dimension you asked to be open is open, and
# every node knows the line of yours that made it.


# %%
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 16), torch.nn.Linear(16, 4)

    def forward(self, x):
        hidden = torch.nn.functional.silu(self.first(x))
        return self.second(hidden).softmax(-1)


torch.manual_seed(0)
exported = portability.export(Net(), (torch.randn(2, 8),), dynamic={"x": {0: "batch"}})
for node in exported.model.graph.node:
    print(f"{node.op_type:10}", exported.sources[node.name])

# %% [markdown]
# Run it at batch sizes that the exporter never saw. A session here runs where it was asked to run,
# or raises.

# %%
session = portability.open_session(exported.model)
for batch in (1, 2, 7):
    x = torch.randn(batch, 8)
    with torch.no_grad():
        expected = exported.module.eval()(x)
    np.testing.assert_allclose(session.run(exported.feeds([x]))[0], expected, atol=1e-6)
print("Three sizes agree.")

# %% [markdown]
# ## What does not survive
#
# A Python `if` on a value is not in the graph: PyTorch runs one side and never sees the other.


# %% tags=["raises-exception"]
class Branch(torch.nn.Module):
    def forward(self, x):
        return x * 2 if x.sum() > 0 else x - 1


portability.export(Branch(), (torch.randn(2, 4),))

# %% [markdown]
# The message names the line and the way round: `torch.cond` puts both sides into the graph.


# %%
class Cond(torch.nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda t: t * 2, lambda t: t - 1, (x,))


both = portability.export(Cond(), (torch.randn(2, 4),))
print([node.op_type for node in both.model.graph.node])
portability.compare(both, "torch", "CPUExecutionProvider").check()

# %% [markdown]
# ## A custom operator, both ways
#
# Your own operator has no ONNX. Either you say it in standard operators, and it runs everywhere; or
# you keep it as a node of a domain of your own, and someone must bring the kernel.


# %%
@torch.library.custom_op("lesson::tilt", mutates_args=())
def tilt(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(2 * x)


@tilt.register_fake
def _(x):
    return torch.empty_like(x)


def tilt_in_onnx(x):
    return op.Mul(x, op.Sigmoid(op.Mul(x, op.Constant(value_float=2.0))))


# %%
class Tilted(torch.nn.Module):
    def forward(self, x):
        return torch.ops.lesson.tilt(x) + 1


standard = portability.export(
    Tilted(), (torch.randn(2, 4),), custom={torch.ops.lesson.tilt.default: tilt_in_onnx}
)
print([node.op_type for node in standard.model.graph.node])
portability.compare(standard).check()


# %%
class Kept(torch.nn.Module):
    def forward(self, x):
        own = torch.onnx.ops.symbolic(
            "lesson::Tilt", (x,), {}, dtype=x.dtype, shape=x.shape, version=1
        )
        return own + 1


kept = portability.export(Kept(), (torch.randn(2, 4),))
print([(node.domain, node.op_type) for node in kept.model.graph.node])

# %% [markdown]
# ## The mistake: it exports, and computes something else
#
# Here `silu` is translated with a constant from another paper. The export works. The file is sound.
# The answer is wrong.


# %% tags=["raises-exception"]
def almost_silu(x):
    return op.Mul(x, op.Sigmoid(op.Mul(x, op.Constant(value_float=1.702))))


wrong = portability.export(
    Net(), (torch.randn(2, 8),), custom={torch.ops.aten.silu.default: almost_silu}
)
portability.compare(wrong, "torch", "CPUExecutionProvider").check()

# %% [markdown]
# The comparison ran both, value by value, in the graph's order. It names the first value out of
# tolerance and the line that made it.

# %%
found = portability.compare(wrong, "torch", "CPUExecutionProvider")
assert found.first.source.text == "hidden = torch.nn.functional.silu(self.first(x))"
assert "made there" in found.notes[0]
DivergenceView(found)

# %% [markdown]
# How far apart may two right answers be? They add in different orders. A sum of *n* products in
# float32 errs by about sqrt(*n*) times 6e-8; after a few dozen layers 1e-4 is the limit that
# `portability.compare` uses, and 1e-2 in float16. Integers must be equal.
#
# ## Your turn
#
# Write `silu_in_onnx` so that the check passes.


# %%
def silu_in_onnx(x):
    return op.Mul(x, op.Sigmoid(x))


mine = portability.export(
    Net(), (torch.randn(2, 8),), custom={torch.ops.aten.silu.default: silu_in_onnx}
)

# %%
portability.compare(mine, "torch", "CPUExecutionProvider").check()
portability.compare(mine, "onnx_reference", "CPUExecutionProvider").check()
print(
    "Right, in PyTorch, on the CPU and in ONNX's own reference. onnxscript", onnxscript.__version__
)

# %% [markdown]
# ## What real hardware would add
#
# Other providers compute in other precisions. The same comparison takes any two of them.
#
# ## Take your work along
#
# `mine.save("net.onnx")` writes the file. `workbench port net.onnx --output report.html` writes a
# report on it.
#
# ## Where next
#
# Notebook 12 asks where the nodes of this file would run.
