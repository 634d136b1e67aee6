"""Operator tables by family: each module has a ``KERNELS`` table from operator name to kernel."""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch

from workbench.torch_device import vendor
from workbench.torch_device.codegen import rows
from workbench.torch_device.core import copies, views
from workbench.torch_device.ops import attention, composites

FAMILIES = (
    "convolution",
    "pointwise",
    "reductions",
    "moments",
    "selection",
    "matmul",
    "softmax",
    "attention",
    "normalisation",
    "layer_norm",
    "indexing",
    "positions",
    "sorting",
    "random",
    "pooling",
    "upsampling",
    "optimizers",
    "recurrent",
    "scaling",
    "fast",
)

KERNELS: dict[str, Callable] = {}
"""Operator name -> the device's own kernel, the vendor library switched off."""

IN_FRONT: set[str] = set()
"""Operators that the shim answers in C++ where it can, before the kernels above."""

COMPOSITES: dict[str, Callable] = {}
"""Operator name -> the decomposition that computes it out of our own kernels."""


in_front: Callable[[dict, torch.library.Library], set[str]] = lambda kernels, library: set()  # noqa: E731
"""Registers what is answered before Python and returns the names; the shim puts its own here."""
allow_in_front: Callable[[str, bool], None] = lambda operator, on: None  # noqa: E731
"""Chooses whether an operator may be answered there; the shim puts its own here."""


def register(library: torch.library.Library) -> None:
    """Register every family's kernels for the device, the vendor library in front of some."""
    copies.on_device = rows.copy
    for family in FAMILIES:
        KERNELS.update(import_module(f"{__name__}.{family}").KERNELS)
    taken = set(KERNELS) | set(views.METADATA_KERNELS) | set(views.KERNELS)
    COMPOSITES.update(composites.decompositions(taken))
    everything = KERNELS | COMPOSITES
    wrapped = everything | vendor.wrap(everything)
    IN_FRONT.update(in_front(wrapped, library))
    for name, kernel in wrapped.items():
        if name not in IN_FRONT:
            library.impl(name, kernel, "PrivateUse1")
    for name, kernel in attention.ABOVE_AUTOGRAD.items():
        library.impl(name, kernel, "AutogradPrivateUse1")
