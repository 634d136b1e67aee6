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
# # 19 · Race everything
#
# **The question:** who wins, and at which size?
#
# **You will build** a race of one problem on every place in reach (your own kernel, PyTorch, each
# ONNX Runtime provider), and a chart of latency against size with the crossing points.
#
# **You need** notebooks 06, 11 and 18. No GPU: what is not here says why, and waits.
#
# **Minutes:** 30.

# %%
import tempfile
from pathlib import Path

from workbench import Race, Scaling, Store, Sweep, targets

# %% [markdown]
# ## Who could race?
#
# A target is one file in `workbench/targets/`. Each says whether it can be used here, and if not,
# why, and what to do about it. Nothing ever falls back to something else without saying so.

# %%
for target in targets.everything():
    answer = target.probe()
    print(f"{target.name:14} {'yes' if answer else 'no ':4} {answer.reason}")

# %% [markdown]
# ## One size
#
# The control at the bottom is NumPy a second time. Add a racer of your own: any function joins.


# %%
def mine(a, x, y):
    return y + x * a


wanted = ("numpy", "torch_cpu", "ort_cpu", "ort_openvino")
here = [t.name for t in targets.everything() if t.name in wanted and t.probe()]
race = Race("saxpy", [*here, mine], size=30_000, seconds=4, keep=False)
race.start().join()
race

# %%
for lane in race.view["lanes"]:
    print(lane.get("words") or f"{lane['label']}: the baseline")

# %% [markdown]
# Read the table from left to right: the median, what a bad call takes, the ratio with its interval,
# a verdict in words, the error against float64, and apart from all that the first call and the
# preparation. A provider that wins by a few microseconds and prepares for a second has won only if
# you call it often.
#
# The controls above the picture do what the call did: problem, size, batch, seconds, cache, and whom
# the others are compared with. Move one and press Start.
#
# ## Many at once
#
# An instance of 300 numbers is hardly work: you time the call. So hand over many instances in one
# call. That is a *batch*, `batch=16` or the second slider. An ONNX session sees one model that holds
# all sixteen. A function, NumPy's too, is called sixteen times, and its answers are put together.

# %%
here = [name for name in here if name in ("numpy", "ort_cpu")]
each_us = {}
for batch in (1, 16):
    many = Race("saxpy", here, size=300, batch=batch, seconds=2, keep=False)
    many.start().join()
    for lane in many.session.run.measurements():
        each_us[lane.target, batch] = lane.median_ns / batch / 1e3
        print(f"batch {batch:2}: {lane.target:8} {each_us[lane.target, batch]:5.2f} µs an instance")

# %% [markdown]
# What falls is what a call costs beyond its work. What rises is what the putting together costs. A
# batch is a different question, so runs of different batches are never ranked together.
#
# ## Every size
#
# At three hundred numbers you measure the cost of a call. At three hundred thousand you measure
# memory. Who wins changes in between. A `Sweep` walks over sizes, each in a child process of its own, and
# keeps what it measured under a name: start it again and it goes on where it was.

# %%
store = Store(Path(tempfile.mkdtemp()) / "runs.sqlite")
sweep = Sweep(
    "sizes", ["saxpy"], ["numpy", "torch_cpu"], sizes=[300, 10_000, 300_000], seconds=1, store=store
)
chart = Scaling(sweep)
chart.start().join()
chart

# %%
print(chart.sentence())

# %% [markdown]
# A crossing is claimed only where the verdict turns between two sizes that were measured. Beyond
# the last size nothing is said. With a GPU in reach this is where you read "pays from 40,000
# elements on".
#
# ## The mistake: rank a model with a measurement
#
# In notebook 16 you had the AI Core model's time for a kernel. NumPy's time you have just measured.
# Which is faster? The question has no answer: one number was predicted, with a stated error, and
# the other was observed.

# %% tags=["raises-exception"]
from workbench.measurement import Measurement, comparable

measured = race.session.run.measurements()[0]
modelled = Measurement(
    problem="saxpy", target="aicore", size=30_000, samples_ns=(9_000.0,),
    provenance="modelled", model="the AI Core model", stated_error="see notebook 15",
    machine=measured.machine,
)  # fmt: skip
ranking = sorted(comparable([measured, modelled]), key=lambda one: one.median_ns)

# %%
from workbench.errors import IncomparableMeasurementsError

assert "ranking" not in globals()
try:
    comparable([measured, modelled])
except IncomparableMeasurementsError as refused:
    print(refused)

# %% [markdown]
# The two stand in tables of their own, and the pictures draw them differently: solid for measured,
# hatched for modelled. The rule holds for your numbers as it does for ours.
#
# ## Check

# %%
run = race.session.run
assert {lane.label for lane in run.lanes.values()} >= {"numpy", "torch_cpu", "mine"}
assert not run.lanes["mine"].error
assert many.session.run.batch == 16
assert ("numpy", 1) in each_us
assert ("numpy", 16) in each_us
sizes = {point["size"] for line in chart.view["lines"] for point in line["points"]}
assert sizes == {300, 10_000, 300_000}
assert sweep.complete() == set(sweep.cells), "start it again: it goes on where it stopped"
print("Everything in reach has raced.")

# %% [markdown]
# ## What real hardware would add
#
# More lanes: `torch_cuda`, `ort_cuda`, `torch_npu`, `ort_cann`. They are in the list above with
# their reasons. And copies: a GPU that wins on the kernel may lose on the way there and back.
#
# ## Take your work along
#
# `workbench results` lists what you kept, `workbench results --export mine.json` writes it to a
# file with all samples, and `workbench sweep saxpy matmul` walks from the command line.
#
# ## Where next
#
# Notebook 20 asks what it would be on the real thing: recordings, and the roofs of data sheets.
