"""All kernels of the provider, by operator: the sum of the families."""

from __future__ import annotations

from workbench.portability.provider import (
    kernels_elementwise,
    kernels_nn,
    kernels_recurrent,
    kernels_reduce,
    kernels_shape,
)
from workbench.portability.provider.engine import Kernel

FAMILIES = (kernels_elementwise, kernels_shape, kernels_reduce, kernels_nn, kernels_recurrent)

KERNELS: dict[str, Kernel] = {
    kernel.operator: kernel for family in FAMILIES for kernel in family.KERNELS
}
