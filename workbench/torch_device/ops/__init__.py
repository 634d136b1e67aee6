"""Operator tables by family: each module has a ``KERNELS`` table from operator name to kernel."""

from __future__ import annotations

from importlib import import_module

import torch

from workbench.torch_device.codegen import rows
from workbench.torch_device.core import views
from workbench.torch_device.ops import composites

FAMILIES = (
    "convolution",
    "pointwise",
    "reductions",
    "moments",
    "selection",
    "matmul",
    "softmax",
    "indexing",
    "sorting",
    "random",
    "pooling",
)


def register(library: torch.library.Library) -> None:
    """Register every family's kernels for the device."""
    views.on_device = rows.copy
    taken = set(views.METADATA_KERNELS) | set(views.KERNELS)
    for family in FAMILIES:
        for name, kernel in import_module(f"{__name__}.{family}").KERNELS.items():
            library.impl(name, kernel, "PrivateUse1")
            taken.add(name)
    for name, function in composites.decompositions(taken).items():
        library.impl(name, function, "PrivateUse1")
