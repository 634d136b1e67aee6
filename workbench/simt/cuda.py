"""`from workbench import cuda`: Numba's CUDA interface, on the CPU engine.

Kernels written for ``numba.cuda`` run here without a change, and the other way round. The names are
Numba's; what each does is in the module it comes from.
"""

from __future__ import annotations

from typing import Any

from workbench.simt.intrinsics import NAMES as _NAMES
from workbench.simt.kernel import Kernel
from workbench.simt.memory import (
    Event,
    In,
    InOut,
    Out,
    Stream,
    as_cuda_array,
    device_array,
    device_array_like,
    event_elapsed_time,
    host_array,
    host_array_like,
    is_cuda_array,
    mapped_array,
    to_device,
)
from workbench.simt.tiers import set_time_limit, tier

globals().update(_NAMES)
pinned_array = managed_array = host_array
pinned_array_like = host_array_like


def jit(func_or_sig: Any = None, device: bool = False, **options: Any) -> Any:
    """Turn a Python function into a CUDA kernel, or with ``device=True`` into a device function.

    Parameters
    ----------
    func_or_sig : callable, signature or list of signatures, optional
        The function, as in ``@cuda.jit``; or the signatures, as in ``@cuda.jit("void(int32[:])")``.
    device : bool
        Whether it is called from kernels rather than launched.
    **options
        Numba's compile options.

    Returns
    -------
    Kernel or decorator
    """
    if callable(func_or_sig) and not hasattr(func_or_sig, "return_type"):
        return Kernel(func_or_sig, device, options)
    if func_or_sig is not None:
        options["signatures"] = func_or_sig
    return lambda function: Kernel(function, device, options)


def stream() -> Stream:
    """Return a new stream."""
    return Stream()


def default_stream() -> Stream:
    """Return the default stream."""
    return Stream(0)


def event(timing: bool = True) -> Event:
    """Return a new event."""
    return Event(timing)


def synchronize() -> None:
    """Wait for all work: it is done by the time a launch returns."""


def is_available() -> bool:
    """Return whether kernels can run: always."""
    return True


__all__ = [
    "Event",
    "In",
    "InOut",
    "Out",
    "Stream",
    "as_cuda_array",
    "default_stream",
    "device_array",
    "device_array_like",
    "event",
    "event_elapsed_time",
    "is_available",
    "is_cuda_array",
    "jit",
    "managed_array",
    "mapped_array",
    "pinned_array",
    "pinned_array_like",
    "set_time_limit",
    "stream",
    "synchronize",
    "tier",
    "to_device",
]
__all__ += sorted(_NAMES)
