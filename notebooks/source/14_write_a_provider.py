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
# # 14 · Write a provider
#
# **The question:** how does a chip join ONNX Runtime?
#
# **You will build** an execution provider: it claims nodes, compiles groups of them, runs them, and is
# graded by ONNX's own tests.
#
# **You need** notebook 12, and a C++ compiler for the first use; without one, a recording is played.
# No accelerator.
#
# **Minutes:** 45.

# %%
import numpy as np
import onnx

from workbench import portability

MODEL = """<ir_version: 10, opset_import: ["": 20]> g (float[N, 8] x) => (float[N, 8] y) {
  a = Tanh(x)
  b = Relu(a)
  c = Softmax<axis = 0>(b)
  y = Sqrt(c)
}"""
model = onnx.parser.parse_model(MODEL)
x = np.random.default_rng(0).standard_normal((4, 8), dtype=np.float32)
expected = portability.open_session(model).run([x])[0]

# %% [markdown]
# ## Claim nothing
#
# A provider is a library that ONNX Runtime loads while it runs. It is asked three things: which nodes do
# you take; make something runnable of them; run it. Ours puts the three questions to Python.
#
# The library is compiled here, at first use. Where there is no compiler, the next cell says so and
# plays a recording of the runtime's questions. Your answers and your kernels run all the same.

# %%
own = portability.reach("own")
provider = own.provider(kernels={})
session = provider.open_session(model)
print(session.nodes_by_provider())
for node, reason in provider.record.refused:
    print(f"{node.operator:10} {reason}")

# %% [markdown]
# ## Claim two nodes
#
# A kernel gets the node, with its attributes, and the inputs.


# %%
@provider.kernel("Tanh")
def tanh(node, x):
    return np.tanh(x)


@provider.kernel("Relu")
def relu(node, x):
    return np.maximum(x, 0)


session = provider.open_session(model)
np.testing.assert_allclose(session.run([x])[0], expected, atol=1e-6)
print(session.nodes_by_provider())
print("compiled together:", provider.record.compiled[-1], "· runs:", dict(provider.record.runs))

# %% [markdown]
# Two neighbours became one group: one call, and nothing in between leaves your device.
#
# ## The mistake: claiming too much
#
# `Softmax` is easy. Everybody's is over the last axis.


# %% tags=["raises-exception"]
@provider.kernel("Softmax")
def softmax(node, x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


np.testing.assert_allclose(provider.open_session(model).run([x])[0], expected, atol=1e-6)

# %% [markdown]
# No error came from the runtime: you said you take it, and it believed you. ONNX's own tests know
# better. `grade` runs those whose name has a word in it.

# %%
grade = portability.grade(provider, "softmax_axis")
print(grade.sentence)
print(grade.wrong)
assert "test_softmax_axis_0" in grade.wrong

# %% [markdown]
# Two ways out: take less, or do it right. `accepts` looks at a node before it is claimed.


# %%
@provider.kernel("Softmax", accepts=lambda node: node.get("axis", -1) == -1, since=13)
def softmax_last(node, x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


grade = portability.grade(provider, "softmax_axis")
print(grade.sentence)
assert not grade.wrong

# %% [markdown]
# ## Your turn
#
# Now do it right: `softmax_any` over the axis that the node asks for, and claim all of them.


# %%
@provider.kernel("Softmax", since=13)
def softmax_any(node, x):
    axis = node.get("axis", -1)
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


# %%
np.testing.assert_allclose(provider.open_session(model).run([x])[0], expected, atol=1e-6)
grade = portability.grade(provider, "softmax_axis")
print(grade.sentence)
assert not grade.wrong
assert len(grade.right) >= 3

# %% [markdown]
# ## All of it
#
# The workbench's own provider has some 130 kernels. No test that ONNX Runtime's CPU passes fails with it
# in front. Grade a family of them:

# %%
everything = own.provider()
print(len(everything.kernels), "kernels")
for family in ("test_reduce_mean", "test_averagepool", "test_gemm"):
    grade = portability.grade(everything, family)
    print(f"{family:26}", grade.sentence)
    assert not grade.wrong

# %% [markdown]
# ## What real hardware would add
#
# Memory of its own: an allocator and a copy in each direction, as you saw them in notebook 13. And
# kernels that are worth the call.
#
# ## Take your work along
#
# `workbench/portability/provider/plugin.cpp` is the whole library, about 300 lines. With other kernels
# and another name it is yours.
#
# ## Where next
#
# Notebook 15 goes down to the core of such a chip. Notebook 19 races the providers you have.
