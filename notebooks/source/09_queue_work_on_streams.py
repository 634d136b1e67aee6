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
# # 09 · Queue work on streams
#
# **The question:** when is it done?
#
# **You will build** two streams that overlap, an event that orders them, and a sum over two
# processes.
#
# **You need** notebook 07. No GPU.
#
# **Minutes:** 45.

# %%
import subprocess
import sys
import time

import torch

import workbench.torch_device as wb
from workbench.widgets.stream_timeline import StreamTimeline

wb.vendor_library(False)
x = torch.randn(1000, 1000, device="wb")
x @ x  # compiles the kernel, once
torch.wb.synchronize()

# %% [markdown]
# ## Queued is not done
#
# A line of Python that uses the device does not wait for it. It puts work on a *stream*, and goes on.

# %%
stream = torch.wb.current_stream()
start = time.perf_counter()
y = x @ x
queued = time.perf_counter() - start
done_at_once = stream.query()
torch.wb.synchronize()
whole = time.perf_counter() - start
print(f"queued after {queued * 1e3:.2f} ms, done after {whole * 1e3:.2f} ms (measured)")
assert not done_at_once

# %% [markdown]
# `y` existed before its numbers did. Three things wait for them: `synchronize`, whatever brings
# numbers to the host (`.item()`, `.cpu()`, `print`), and an event.

# %%
begin, end = torch.wb.Event(enable_timing=True), torch.wb.Event(enable_timing=True)
begin.record()
y = x @ x
end.record()
y[0, 0].item()  # waits
print(f"the device took {begin.elapsed_time(end):.2f} ms (measured by two events)")

# %% [markdown]
# Work on one stream runs in order, so the next line may use `y` at once. Tiny work on a stream with
# nothing to do is done on the spot: handing it over would take longer, and nobody can tell.
#
# What if you need every line to be done when it returns, to find the one that fails? CUDA has
# `CUDA_LAUNCH_BLOCKING=1`; here it is `WORKBENCH_LAUNCH_BLOCKING=1`, or a switch.

# %%
wb.launch_blocking(True)
y = x @ x
assert stream.query()
wb.launch_blocking(False)

# %% [markdown]
# ## A race you switch on
#
# Two streams know nothing of each other. One computes `y`, the default one adds it up. The event
# says: not before `y` is there.


# %%
def sum_of_square():
    producer = torch.wb.Stream()
    y = torch.zeros_like(x)
    producer.wait_stream(torch.wb.current_stream())  # y is zero before the producer begins
    with wb.recording() as spans:
        with producer:
            torch.mm(x, x, out=y)
        ready = producer.record_event()
        ready.wait(torch.wb.current_stream())
        total = y.abs().sum().item()
    return total, list(spans)


right, with_wait = sum_of_square()
expected = (x.cpu() @ x.cpu()).abs().sum().item()
print(right, expected)
assert abs(right - expected) < 1e-3 * expected

# %% [markdown]
# Now drop the wait. Nothing else changes.

# %%
with wb.dropped_waits():
    wrong, without_wait = sum_of_square()
print("with the wait", right, " without", wrong)

# %% [markdown]
# No error, no warning, a number that looks like any other. On a fast day it would even be right.
# The next cell states what went wrong, and the timeline shows it: the sum starts before the product
# ends.

# %%
assert abs(wrong - expected) > 1e-3 * expected, "the race was won this time: run it again"
StreamTimeline({"with the wait": with_wait, "wait dropped": without_wait})

# %% [markdown]
# ## An error arrives late
#
# A kernel that fails on a stream fails after Python has gone on. The error is kept, and raised at the
# next synchronisation, with the operator and the line that queued it.


# %%
def broken(x, out):
    raise ValueError("this kernel cannot")


side = torch.wb.Stream()
with wb.register("aten::relu", broken), side:
    torch.relu(x)
    print("Python is here already")

# %% tags=["raises-exception"]
torch.wb.synchronize()

# %%
side.synchronize()  # the error was raised once; the stream works again
assert side.query()

# %% [markdown]
# ## Memory is freed in order, too
#
# A block freed on one stream may be given out on the same stream at once: work there runs in order.
# A stream that reads a tensor of *another* stream must say so (`record_stream`, as on CUDA), or the memory
# is reused under the reader.

# %%
reader = torch.wb.Stream()
t = torch.ones(400, 400, device="wb")
address = t.data_ptr()
with reader:
    busy = x @ x @ x
    t.record_stream(reader)
del t
fresh = torch.zeros(400, 400, device="wb")
assert fresh.data_ptr() != address, "the block waits for the reader"
reader.synchronize()

# %% [markdown]
# ## Two processes
#
# Data-parallel training needs one more queue: between processes. `DistributedDataParallel` averages
# gradients with the device's own backend, `wbccl`, in the place of NCCL or Huawei's HCCL.

# %%
code = """
import os, sys, torch, torch.distributed as dist
import workbench.torch_device
rank = int(sys.argv[1])
dist.init_process_group("wbccl", init_method="file://" + sys.argv[2], rank=rank, world_size=2)
torch.manual_seed(0)
net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 2).to("wb"))
net(torch.full((2, 4), float(rank + 1), device="wb")).sum().backward()
print(net.module.weight.grad.cpu()[0].tolist(), flush=True)
dist.barrier()
dist.destroy_process_group()
"""

# %%
import tempfile

with tempfile.TemporaryDirectory() as folder:
    command = [sys.executable, "-W", "ignore", "-c", code]
    ranks = [
        subprocess.Popen([*command, str(r), folder + "/meet"], stdout=subprocess.PIPE, text=True)
        for r in range(2)
    ]
    answers = [rank.communicate(timeout=120)[0].strip() for rank in ranks]
print(answers)

# %% [markdown]
# Rank 0 saw ones and rank 1 twos, two rows each: gradients 2 and 4, averaged to 3 on both.

# %%
assert answers == ["[3.0, 3.0, 3.0, 3.0]"] * 2
print("Both processes hold the same gradient.")

# %% [markdown]
# ## What real hardware would add
#
# Streams that run on different parts of the chip, and copies that overlap with kernels. The rules
# are the same: queued is not done, and an event orders.
#
# ## Take your work along
#
# *File > Download* keeps this notebook. Streams are `workbench/torch_device/core/streams.py`.
#
# ## Where next
#
# The device works. Would a program that was written for `cuda` notice? Notebook 10.
