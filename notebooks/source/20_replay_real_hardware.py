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
# # 20 · Replay real hardware
#
# **The question:** what would it be on the real thing?
#
# **You will build** a recording of your own, and place it under the roofs of chips you do not have.
#
# **You need** notebooks 18 and 19. No GPU.
#
# **Minutes:** 25.

# %%
import tempfile
from pathlib import Path

from workbench import Race, Replay, Roofline, hardware, recording

# %% [markdown]
# ## Somebody else's run
#
# A recording holds every sample of a run, the machine and the date. It is data: nothing in it is
# executed. What you see is what that machine did on that day, and every number is marked as
# *recorded*. These ship with the series:

# %%
for name, where in recording.shipped().items():
    print(f"{name}: {where}")

# %% [markdown]
# Do you see an H200 in the list? When this was written there was none. Nobody who built the series
# had one to measure on, so you replay a machine with two processor cores and no accelerator, and the
# caption says so. Nothing below pretends to be more.
#
# With an H200 in reach, one command makes the missing recording:
# `workbench race saxpy --seconds 30 --record datasets/recordings/saxpy_on_h200.json`. It then stands
# in the list, and `Replay("saxpy_on_h200")` plays it, with the GPU's name in the caption.

# %%
replay = Replay("two_cores_no_accelerator")
replay

# %%
print(replay.caption())

# %% [markdown]
# Press Play. The median moves while samples come in: after ten of them it is a rumour, after a
# hundred a number.
#
# ## The roof
#
# Without the chip you still know a bound. A chip moves so many bytes a second and does so many
# operations a second. Work that does few operations on each byte waits for memory, whatever the
# peak on the box says. The bound is Williams' roofline (CACM 52(4), 2009); the numbers come from
# data sheets, with their sources, and where sources disagree you see a band.

# %%
race = Race("saxpy", ["numpy", "torch_cpu"], size=1_000_000, seconds=2, keep=False)
race.start().join()
roof = Roofline(["nvidia_h200", "ascend_910b1"], [race.session.run], dtype="float16")
roof

# %%
print(roof.sentence())
point = roof.view["points"][0]
print(f"{point['label']}: {point['intensity']:.3f} operations for each byte moved")

# %% [markdown]
# saxpy does two operations on twelve bytes. Under that roof no chip comes near its peak: the H200
# would reach less than a thousandth of it. That is not a bad kernel. It is this problem.
#
# ## The mistake: past the roof
#
# "Our kernel reaches 600 GFLOP/s here, the H200's peak is so many times ours, so it will reach
# that there." Multiply, and look where the point lies.

# %%
run = race.session.run
intensity = run.operations / run.bytes_moved
sheet = hardware.roofline("nvidia_h200", "float16")
wish = sheet.compute.high * 1e3 / 2
low, high = sheet.attainable_gflop_per_s(intensity)
print(f"wished for {wish:,.0f} GFLOP/s; the roof at this intensity is {high:,.0f}")


# %% tags=["raises-exception"]
def expect(gflop_per_s, intensity, roofline):
    most = roofline.attainable_gflop_per_s(intensity)[1]
    assert gflop_per_s <= most, f"{gflop_per_s:,.0f} GFLOP/s is above the roof of {most:,.0f}"
    return gflop_per_s


expect(wish, intensity, sheet)

# %%
roof.add_point("wish", intensity, wish, "modelled", "a peak multiplied by a hope")
print(roof.sentence())
assert "above the roof" in roof.sentence()

# %% [markdown]
# The same bound judges measurements. A latency below it is a failure of the measurement, and not a
# record: that is how a race notices a kernel that did not do its work.
#
# ## Record your own

# %%
path = recording.write_json([run], Path(tempfile.mkdtemp()) / "mine.json")
mine = Replay(path)
print(mine.caption())
mine

# %% [markdown]
# ## Check

# %%
assert mine.run.recorded
assert {lane["provenance"] for lane in mine.view["lanes"]} == {"recorded"}
assert mine.run.lanes["numpy"].samples_ns == run.lanes["numpy"].samples_ns
floor = sheet.floor_ns(run.bytes_moved, run.operations)
print(f"no H200 can do this in less than {floor / 1e3:.1f} µs, by its own data sheet")
assert floor > 0

# %% [markdown]
# ## What real hardware would add
#
# The distance to the roof. A data sheet says what cannot be exceeded; only a run says what is
# reached. On a machine with a GPU, `workbench race saxpy --record FILE.json` makes a recording that
# the rest of us can replay.
#
# ## Take your work along
#
# The file `mine.json` is yours: all samples, the machine, the date, no name and no path.
#
# ## Where next
#
# Notebook 17 compares two stacks with these same data sheets. The list of targets grows by one
# file each: `CONTRIBUTING.md` shows how.
