"""Operator tables by family: each module has a ``KERNELS`` table from operator name to kernel."""

from __future__ import annotations

from importlib import import_module

import torch

FAMILIES = ("convolution",)


def register(library: torch.library.Library) -> None:
    """Register every family's kernels for the device."""
    for family in FAMILIES:
        for name, kernel in import_module(f"{__name__}.{family}").KERNELS.items():
            library.impl(name, kernel, "PrivateUse1")
