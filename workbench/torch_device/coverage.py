"""What the device covers: every operator that needs a device kernel, and who answers it here.

PyTorch 2.13 has 676 operators with a CPU kernel and no composite that a device could reuse; those
are the honest denominator. Each is *native* (a kernel of our own), *composite* (a decomposition
over our own kernels), *fallback* (the CPU computes it, counted) or *absent* (nothing does: sparse,
quantized and views that cannot fall back). It refuses to count the vendor library as native.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from workbench.torch_device import extend, ops, traffic
from workbench.torch_device.core import views

KINDS = ("native", "composite", "fallback", "absent")
_ABSENT = ("sparse", "quantize", "quantized", "mkldnn", "nested", "_make_dep", "_jagged")


@dataclass(frozen=True)
class Coverage:
    """Who answers one operator.

    Attributes
    ----------
    operator : str
    kind : str
        One of `KINDS`.
    source : str
        ``file:line`` of what answers.
    bytes_moved, calls : int
        What its fallbacks have cost in this process so far.
    """

    operator: str
    kind: str
    source: str
    bytes_moved: int = 0
    calls: int = 0


def operators() -> list[str]:
    """Return the operators that need a device kernel, sorted."""
    names = (n for n in torch._C._dispatch_get_all_op_names() if n.startswith("aten::"))
    return sorted(n.removeprefix("aten::") for n in names if ops.composites.needs_kernel(n))


def source_of(function) -> str:
    """Return ``file:line`` of a kernel: for a row of a table, of the table."""
    code = getattr(function, "__code__", None)
    if code is None:
        return f"workbench/torch_device/ops/elementwise.py ({type(function).__name__})"
    name = code.co_filename
    for root in ("workbench/torch_device/", "torch/"):
        if root in name:
            name = root + name.rpartition(root)[2]
            break
    return f"{name}:{code.co_firstlineno}"


def coverage() -> list[Coverage]:
    """Return one record for each operator that needs a device kernel."""
    moved: dict[str, list[int]] = {}
    for fallback in traffic.FALLBACKS:
        entry = moved.setdefault(fallback.operator.removeprefix("aten::"), [0, 0])
        entry[0] += fallback.bytes_moved
        entry[1] += 1
    mine = {form for made in extend.ACTIVE.values() for form in made.overloads}
    minimal = set(views.KERNELS) | set(views.METADATA_KERNELS)
    return [_covered(name, mine, minimal, *moved.get(name, (0, 0))) for name in operators()]


def _covered(name, mine, minimal, nbytes, calls) -> Coverage:
    if name in mine:
        return Coverage(name, "native", "registered by you", nbytes, calls)
    if name in ops.KERNELS:
        return Coverage(name, "native", source_of(ops.KERNELS[name]), nbytes, calls)
    if name in minimal:
        return Coverage(name, "native", "workbench/torch_device/core/views.py", nbytes, calls)
    if name in ops.COMPOSITES:
        return Coverage(name, "composite", source_of(ops.COMPOSITES[name]), nbytes, calls)
    kind = "absent" if any(part in name for part in _ABSENT) else "fallback"
    return Coverage(name, kind, "" if kind == "absent" else "the CPU's kernel", nbytes, calls)


def summary() -> dict[str, int]:
    """Return how many operators there are of each kind."""
    found = coverage()
    return {kind: sum(c.kind == kind for c in found) for kind in KINDS}
