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
# # 18 · Measure honestly
#
# **The question:** how do you fool yourself?
#
# **You will build** five wrong benchmarks, and then a right one; a cheat, and the judge that
# catches it.
#
# **You need** notebook 00. No GPU: every trap below is the same on one, and larger.
#
# **Minutes:** 40.

# %%
import time

import numpy as np

from workbench import Race, RaceSession

rng = np.random.default_rng(0)
a = np.float32(1.5)
x = rng.standard_normal(100_000, dtype=np.float32)
y = rng.standard_normal(100_000, dtype=np.float32)

# %% [markdown]
# We measure one thing, `a * x + y`, written in two ways. You will find out which is faster. First
# you will find out five times something that is not so.


# %%
def plain(a, x, y):
    return a * x + y


def in_place(a, x, y, out):
    np.multiply(a, x, out=out)
    out += y


out = np.empty_like(x)
np.testing.assert_allclose(plain(a, x, y), in_place(a, x, y, out) or out, rtol=1e-6)

# %% [markdown]
# ## Wrong, one: time it once
#
# The first call pays for everything that happens only once: memory that the system hands out page
# by page, code that is not in a cache yet, on a GPU the loading and compiling of the kernel.


# %%
def once(function, *arguments):
    start = time.perf_counter_ns()
    function(*arguments)
    return time.perf_counter_ns() - start


big_x, big_y = np.tile(x, 20), np.tile(y, 20)
first = once(plain, a, big_x, big_y)
later = np.median([once(plain, a, big_x, big_y) for _ in range(30)])
print(f"first call {first / later:.2f} times the later ones")

# %% [markdown]
# Look at the number, run the cell again, and look once more. Whatever it says, it is not the speed
# of `plain`.
#
# ## Wrong, two: one after the other
#
# So you time many calls of the one, then many of the other. Here both are **the same function**.
# Every line below is one honest looking benchmark with a proper confidence interval.


# %%
def sequential(first, second, calls=300):
    one = np.array([once(first, a, x, y) for _ in range(calls)])
    two = np.array([once(second, a, x, y) for _ in range(calls)])
    draw = np.random.default_rng(0).choice
    ratios = [np.median(draw(one, calls)) / np.median(draw(two, calls)) for _ in range(300)]
    return np.quantile(ratios, [0.025, 0.975])


trials = [sequential(plain, plain) for _ in range(20)]
called = [not low <= 1 <= high for low, high in trials]
print(f"identical functions called different in {sum(called)} of 20 trials (1 is expected)")

# %% [markdown]
# A machine has moods: a busy neighbour, a clock rate that moves, a cache that somebody else filled.
# They last longer than your measurement. What runs first gets one mood, what runs second another,
# and the interval knows nothing of it. Your trial may have had luck; that is the trouble with it.
#
# ## Wrong, three: report the mean
#
# One call in a hundred is interrupted and takes ten times as long. The mean is about those calls,
# the median about the others. Neither is wrong. To give one number and no spread is.

# %%
calls = np.array([once(plain, a, x, y) for _ in range(2000)]) / 1e3
low, middle, high = np.quantile(calls, [0.05, 0.5, 0.95])
print(f"mean {calls.mean():.1f} µs; median {middle:.1f} µs, 90 % between {low:.1f} and {high:.1f}")
print(f"slowest {calls.max():.0f} µs")

# %% [markdown]
# ## Wrong, four: the same input again and again
#
# This function remembers. In your loop it is wonderfully fast. Nobody calls it twice with the same
# numbers outside of your loop.

# %%
memory = {}


def remembers(a, x, y):
    key = (id(x), id(y))
    if key not in memory:
        memory[key] = a * x + y
    return memory[key].copy()


remembers(a, x, y)
honest, fast = (np.median([once(f, a, x, y) for _ in range(200)]) for f in (plain, remembers))
print(f"{honest / fast:.1f} times as fast as plain")

# %% [markdown]
# ## Wrong, five: do not look at the answer
#
# The fastest code is code that does less. A public claim of a 147-fold speed-up came from a kernel
# that computed one row.


# %%
def does_half(a, x, y, out):
    half = x.size // 2
    out[:half] = a * x[:half] + y[:half]


whole, half = (
    np.median([once(f, a, x, y, out) for _ in range(200)]) for f in (in_place, does_half)
)
print(f"{whole / half:.1f} times as fast as in_place")

# %% [markdown]
# ## Right
#
# A `Race` answers each of the five:
#
# 1. the first call stands apart from the others, and it *finds* where a lane becomes steady;
# 2. every round runs all lanes in a new random order, and the ratio is taken inside the round;
# 3. all samples are shown, the median as a line, and a ratio comes with an interval;
# 4. the buffers stay the same and their contents change with every call;
# 5. answers are compared with a float64 oracle, in calls that are chosen after they ended.
#
# And it races the first lane against **itself**. That is the A/A control: what it shows is what
# this machine can make out of nothing.

# %%
race = Race("saxpy", [plain, in_place], size=100_000, seconds=3, keep=False)
race.start().join()
race

# %%
lanes = {lane["label"]: lane for lane in race.view["lanes"]}
control = lanes["A/A control"]
print(race.sentence())
print(f"the control: {control['speedup']:.3f}, {control['low']:.3f} to {control['high']:.3f}")

# %% [markdown]
# The control's ratio is not exactly 1: the two copies lie at different addresses, and that alone
# can be worth a percent. There are four verdicts: *faster*, *slower*, *same* and *inconclusive*. The
# last one is an answer too. A difference below the noise threshold is not called a difference; the
# threshold is 1 %, or more if the control says so.
#
# ## The judge
#
# Now race the two frauds of above.

# %%
frauds = RaceSession("saxpy", [plain, remembers, does_half], size=100_000, seconds=1)
frauds.start().join()
for lane in frauds.records():
    print(lane.label, "-", lane.error["happened"] if lane.error else "passed")

# %% [markdown]
# A check that only prints can never go red. `check()` raises:

# %% tags=["raises-exception"]
frauds.check()

# %%
caught = {lane.label for lane in frauds.records() if lane.error}
assert caught == {"remembers", "does_half"}

# %% [markdown]
# ## Your turn: cheat
#
# Write a function that looks faster than `plain` and is not caught. Ideas that others had: work in
# a thread and return early; count the calls and stop working after the hundredth; answer in half
# precision; patch `time.perf_counter_ns`; call the reference; return NaN, since NaN compares with
# nothing. Each of them is a test in `tests/contract/test_cheats.py`.


# %%
def your_cheat(a, x, y):
    half = np.float16
    return (half(a) * x.astype(half) + y.astype(half)).astype(np.float32)


attempt = RaceSession("saxpy", [plain, your_cheat], size=100_000, seconds=1)
attempt.start().join()
print(attempt.records()[1].error)

# %% [markdown]
# ## Check
#
# What you should be able to say of any number that somebody shows you: how many samples, against
# what, in which order, on which contents, with which answer, and what the control showed.

# %%
assert abs(control["speedup"] - 1) < 0.05, "a machine this restless cannot measure anything"
assert lanes["plain"]["audits"] > 0
assert lanes["in_place"]["audits"] > 0
assert attempt.records()[1].error, "a cheat that is not caught: please tell us"
print("Honest.")

# %% [markdown]
# ## What real hardware would add
#
# A call that returns before the work is done: on a GPU you must wait for the device before you
# read the clock. Our GPU targets do. Clock rates that drop when the chip is hot: they are recorded
# with every block of samples.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. `race.session.run` has every sample; notebook 20 shows how
# to keep a run in a file that others can replay.
#
# ## Where next
#
# Notebook 19 races one problem on everything in reach and asks at which size who wins.
