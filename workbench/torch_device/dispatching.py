"""One call, step by step: which dispatch keys it passes, which kernel answered, how long it took.

PyTorch's dispatcher holds a table of kernels per operator; a call visits the keys of its arguments
and of the thread, from the outermost in. `trace` runs a call once, notes the kernels' sources from
that table, and times the call with ever more of the outer keys left out; the differences are the
steps. It refuses to guess where a kernel has no source: it says so.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from workbench.errors import InputError
from workbench.torch_device import ops
from workbench.torch_device.core.tensors import is_device
from workbench.torch_device.coverage import source_of

STAGES = (
    ("Autocast", "AutocastPrivateUse1"),
    ("Autograd", "AutogradPrivateUse1"),
    ("ADInplaceOrView", "ADInplaceOrView"),
    ("device", "PrivateUse1"),
)
"""What a call passes, from the outermost in: the name shown, and PyTorch's dispatch key."""


@dataclass(frozen=True)
class Step:
    """One stage of a call.

    Attributes
    ----------
    operator : str
    stage, key : str
    active : bool
        Whether the call stops there.
    kernel : str
        Which kernel answers: its source as far as PyTorch knows it.
    duration_ns : float
        Time spent in this stage (measured, median of 50); 0 where it is not active.
    """

    operator: str
    stage: str
    key: str
    active: bool
    kernel: str
    duration_ns: float


class _Names(TorchDispatchMode):
    """Collects the operators that reach the device below autograd."""

    def __init__(self):
        super().__init__()
        self.calls: list = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


def _table(op) -> dict[str, str]:
    """Return dispatch key -> where its kernel was registered, from PyTorch's own dump."""
    found = {}
    for line in torch._C._dispatch_dump_table(op.name()).splitlines():
        key, _, rest = line.partition(": ")
        source = re.search(r"registered at (.+?)(?: \[|$)", rest)
        kind = re.search(r"\[(.+)\]", rest)
        text = source.group(1) if source else rest
        found[key.strip()] = _short(text) + (f" [{kind.group(1)}]" if kind else "")
    return found


def _short(path: str) -> str:
    for root in ("/torch/", "workbench/torch_device", "aten/src", "build/"):
        if root in path:
            return root.strip("/") + "/" + path.rpartition(root)[2].lstrip("/")
    return path


def _excluded(keys: list[str]):
    chosen = torch._C.DispatchKeySet(torch._C.DispatchKey.Undefined)
    for key in keys:
        chosen = chosen | torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, key))
    return torch._C._ExcludeDispatchKeyGuard(chosen)


def _time_ns(op, args, kwargs, without: list[str], repeats: int = 50) -> float:
    samples = []
    for _ in range(repeats):
        with _excluded(without):
            start = time.perf_counter_ns()
            op(*args, **kwargs)
            samples.append(time.perf_counter_ns() - start)
    return median(samples)


def _device_kernel(op) -> str:
    name = op.name().removeprefix("aten::")
    base = name.partition(".")[0]
    own = ops.KERNELS.get(name) or ops.KERNELS.get(f"{base}.out") or ops.COMPOSITES.get(name)
    source = source_of(own) if own is not None else "the boxed fallback (fallback.py)"
    return f"{source}, called by shim/quick.cpp" if name in ops.IN_FRONT else source


def trace(function, *args: Any, **kwargs: Any) -> list[Step]:
    """Run a call and return its steps, the first operator's only.

    Parameters
    ----------
    function : callable
        For instance `torch.relu`.
    *args, **kwargs
        What to call it with; at least one tensor on the device.

    Raises
    ------
    InputError
        Where nothing in the call is on the device.
    """
    if not any(is_device(leaf) for leaf in pytree.tree_leaves((args, kwargs))):
        raise InputError("Nothing in this call is on the device.", repr(function),
                         "pass tensors made with device='wb'")  # fmt: skip
    names = _Names()
    with names:
        function(*args, **kwargs)
    if not names.calls:
        raise InputError("The call reached no operator.", repr(function), "call an operator")
    op, given, named = names.calls[0]
    top = _outermost(function, args, kwargs) or (op, given, named)
    table = _table(top[0])
    active = {
        "Autocast": torch.is_autocast_enabled("wb"),
        "Autograd": True,
        "ADInplaceOrView": ("ADInplaceOrView" in table and op._schema.is_mutable) or op.is_view,
        "device": True,
    }
    steps, outer, before = [], [], _time_ns(*top, [])
    for stage, key in STAGES:
        if stage == "device":
            duration = before
        else:
            outer.append(key)
            after = _time_ns(*top, outer) if active[stage] else before
            duration, before = max(before - after, 0.0), min(before, after)
        kernel = _device_kernel(op) if stage == "device" else table.get(key, "no kernel: skipped")
        steps.append(Step(op.name(), stage, key, bool(active[stage]), kernel,
                          duration if active[stage] else 0.0))  # fmt: skip
    return steps


def _outermost(function, args, kwargs):
    """Return the overload that a plain call of one operator starts with, if there is one."""
    packet = getattr(torch.ops.aten, getattr(function, "__name__", ""), None)
    if packet is None:
        return None
    try:
        return torch._C._jit_resolve_packet(f"aten::{function.__name__}", *args, **kwargs) and (
            getattr(packet, torch._C._jit_resolve_packet(
                f"aten::{function.__name__}", *args, **kwargs) or "default"),
            args, kwargs,
        )  # fmt: skip
    except RuntimeError:
        return None
