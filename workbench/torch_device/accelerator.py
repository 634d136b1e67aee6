"""``torch.accelerator``: its questions answered where PyTorch would only ask C++, or crash.

PyTorch forwards ``torch.accelerator`` to C++ objects. The pure-Python tier has none: its memory
questions would fail with an internal assertion, and a change of device would silently do nothing.
Two questions (`BOTH`) PyTorch asks of objects that no out-of-tree device can give. All of them are
answered here, from the modules that answer ``torch.wb``. It refuses to answer what PyTorch's own
C++ answers rightly.
"""

# PyTorch's private parts are untyped.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import torch

from workbench.torch_device import device
from workbench.torch_device.codegen import types
from workbench.torch_device.core import allocator, devices, memory, streams


def _nested_stats(index: int) -> dict[str, Any]:
    """Return the allocator's counters as the tree of dictionaries that C++ would return."""
    tree: dict[str, Any] = {}
    for name, value in device.memory_stats(index).items():
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        branch[leaf] = value
    return tree


def _capability(index: int) -> dict[str, Any]:
    return {"supported_dtypes": set(types.KINDS)}


def _set_stream(stream: torch.Stream) -> None:
    streams.set_current(streams.STREAMS[stream.stream_id, stream.device_index])


BOTH = {
    "emptyHostCache": lambda: None,  # pinned memory is never cached; PyTorch's own would crash
    "getDeviceCapability": _capability,
}
"""Answers on both tiers."""

PURE_PYTHON = {
    "isAllocatorInitialized": lambda: True,
    "emptyCache": lambda: [allocator.empty_cache(i) for i in range(memory.DEVICE_COUNT)] and None,
    "getDeviceStats": _nested_stats,
    "resetPeakStats": allocator.reset_peak,
    "resetAccumulatedStats": lambda index: None,
    "getMemoryInfo": device.mem_get_info,
    "synchronizeDevice": streams.synchronize,
    "getDeviceIndex": devices.current_device,
    "setDeviceIndex": lambda index: devices.set_device(index) and None,
    "exchangeDevice": devices.set_device,
    "maybeExchangeDevice": lambda index: devices.set_device(index) if index >= 0 else -1,
    "getStream": streams.current,
    "setStream": _set_stream,
}
"""Answers without the shim, whose C++ objects give them else."""


def install(tier: str) -> None:
    """Put the answers in the place of ``torch._C``'s."""
    answers = BOTH if tier == "shim" else BOTH | PURE_PYTHON
    for name, answer in answers.items():
        setattr(torch._C, f"_accelerator_{name}", answer)
