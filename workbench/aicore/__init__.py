"""The Ascend AI Core on any CPU: write kernels in Python, see values, hazards and time.

A kernel is a function marked `kernel` and launched on a number of blocks. Its Python is the scalar
unit; the operations here issue instructions to the pipes of a Cube and a Vector unit, which run at
the same time, and the programmer orders them with queues and events::

    from workbench import aicore

    @aicore.kernel
    def copy(x, out):
        queue = aicore.Queue("VECIN", 1024, x.dtype)
        ...

    copy[8](x, out)

One launch is recorded once and read three ways: `launch` (values), `check` (hazards, with a replay
in an order that the flags allow) and `Run.timeline` or `predict` (time, always modelled). The
folders are these steps: operations/, recording/, readings/; ascend_c/ prints a kernel as source,
machine.py is what all of them know of the chip, run.py launches. Names
follow what a reader of Ascend C knows; the code is this project's own and runs on no NPU.
"""

from workbench.aicore.ascend_c.source import to_ascend_c
from workbench.aicore.context import current_chip, observe, on_chip
from workbench.aicore.findings import AICoreError, Finding, HazardError, Report
from workbench.aicore.machine import Chip, chip
from workbench.aicore.operations.arguments import Shape, workspace
from workbench.aicore.operations.composite import Matmul, Softmax
from workbench.aicore.operations.cube import mmad
from workbench.aicore.operations.layouts import pack, unpack
from workbench.aicore.operations.movement import data_copy, data_copy_pad, dump, fixpipe, load_data
from workbench.aicore.operations.queues import Queue, scratch
from workbench.aicore.operations.sync import (
    block_idx,
    block_num,
    cross_core_set_flag,
    cross_core_wait_flag,
    pipe_barrier,
    set_atomic_add,
    set_atomic_none,
    set_flag,
    share,
    sub_block_idx,
    sub_block_num,
    sync_all,
    wait_flag,
)
from workbench.aicore.operations.vector import (
    abs,
    add,
    adds,
    axpy,
    broadcast,
    cast,
    compare,
    div,
    duplicate,
    exp,
    gather,
    ln,
    max,
    maxs,
    min,
    mins,
    mul,
    muls,
    reciprocal,
    reduce_max,
    reduce_sum,
    relu,
    row_max,
    row_sum,
    rsqrt,
    select,
    set_value,
    sqrt,
    sub,
    transpose,
)
from workbench.aicore.readings.timeline import Timeline
from workbench.aicore.recording.instructions import Limits, Recording
from workbench.aicore.run import Kernel, Run, check, kernel, launch, predict

__all__ = [
    "AICoreError",
    "Chip",
    "Finding",
    "HazardError",
    "Kernel",
    "Limits",
    "Matmul",
    "Queue",
    "Recording",
    "Report",
    "Run",
    "Shape",
    "Softmax",
    "Timeline",
    "abs",
    "add",
    "adds",
    "axpy",
    "block_idx",
    "block_num",
    "broadcast",
    "cast",
    "check",
    "chip",
    "compare",
    "cross_core_set_flag",
    "cross_core_wait_flag",
    "current_chip",
    "data_copy",
    "data_copy_pad",
    "div",
    "dump",
    "duplicate",
    "exp",
    "fixpipe",
    "gather",
    "kernel",
    "launch",
    "ln",
    "load_data",
    "max",
    "maxs",
    "min",
    "mins",
    "mmad",
    "mul",
    "muls",
    "observe",
    "on_chip",
    "pack",
    "pipe_barrier",
    "predict",
    "reciprocal",
    "reduce_max",
    "reduce_sum",
    "relu",
    "row_max",
    "row_sum",
    "rsqrt",
    "scratch",
    "select",
    "set_atomic_add",
    "set_atomic_none",
    "set_flag",
    "set_value",
    "share",
    "sqrt",
    "sub",
    "sub_block_idx",
    "sub_block_num",
    "sync_all",
    "to_ascend_c",
    "transpose",
    "unpack",
    "wait_flag",
    "workspace",
]
