"""`from workbench import cuda`: Numba's CUDA interface, on the CPU engine.

Kernels written for ``numba.cuda`` run here without a change, and the other way round. The names are
Numba's; what each does is in the module it comes from.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

from workbench.simt.frontend.intrinsics import NAMES as _NAMES
from workbench.simt.host.device import (
    close,
    cuda_error,
    current_context,
    defer_cleanup,
    detect,
    get_current_device,
    gpus,
    list_devices,
    mapped,
    pinned,
    profile_start,
    profile_stop,
    profiling,
    select_device,
)
from workbench.simt.host.engines import engine, use
from workbench.simt.host.memory import (
    In,
    InOut,
    Out,
    as_cuda_array,
    device_array,
    device_array_like,
    host_array,
    host_array_like,
    is_cuda_array,
    mapped_array,
    to_device,
)
from workbench.simt.host.streams import Event, Stream, event_elapsed_time
from workbench.simt.kernel import Kernel
from workbench.simt.library import libdevice, random
from workbench.simt.library.half import fp16
from workbench.simt.library.ufuncs import Reduce, guvectorize, reduce, vectorize
from workbench.simt.library.vectors import ALIASES as _ALIASES
from workbench.simt.library.vectors import VECTORS as _VECTORS
from workbench.simt.tiers import set_time_limit, tier

globals().update(_NAMES)
globals().update(_VECTORS)
globals().update(_ALIASES)
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


def external_stream(ptr: int) -> Stream:
    """Return a stream for a foreign handle."""
    return Stream(int(ptr))


def legacy_default_stream() -> Stream:
    """Return the legacy default stream."""
    return Stream(1)


def per_thread_default_stream() -> Stream:
    """Return the default stream of this thread."""
    return Stream(2)


def mapped_array_like(ary: Any, **options: Any) -> Any:
    """Return memory that host and device share, shaped like `ary`."""
    return device_array_like(ary)


def from_cuda_array_interface(desc: dict, owner: Any = None, sync: bool = True) -> Any:
    """Return a device array over the memory that an interface describes."""
    holder = type("_Holder", (), {"__cuda_array_interface__": desc, "owner": owner})()
    return as_cuda_array(holder, sync)


def is_float16_supported() -> bool:
    """Return whether float16 can be used: always."""
    return True


def is_bfloat16_supported() -> bool:
    """Return whether bfloat16 can be used: not on this engine."""
    return False


def compile_ptx(*args: Any, **options: Any) -> Any:
    """Compile to real PTX; needs the ``ptx`` extra, see `workbench.simt.ptx`."""
    from workbench.simt import ptx

    return ptx.compile_ptx(*args, **options)


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
    "Reduce",
    "Stream",
    "as_cuda_array",
    "close",
    "compile_ptx",
    "cuda_error",
    "current_context",
    "default_stream",
    "defer_cleanup",
    "detect",
    "device_array",
    "device_array_like",
    "engine",
    "event",
    "event_elapsed_time",
    "external_stream",
    "fp16",
    "from_cuda_array_interface",
    "get_current_device",
    "gpus",
    "guvectorize",
    "is_available",
    "is_bfloat16_supported",
    "is_cuda_array",
    "is_float16_supported",
    "jit",
    "legacy_default_stream",
    "libdevice",
    "list_devices",
    "managed_array",
    "mapped",
    "mapped_array",
    "mapped_array_like",
    "per_thread_default_stream",
    "pinned",
    "pinned_array",
    "pinned_array_like",
    "profile_start",
    "profile_stop",
    "profiling",
    "random",
    "reduce",
    "select_device",
    "set_time_limit",
    "stream",
    "synchronize",
    "tier",
    "to_device",
    "use",
    "vectorize",
]
__all__ += sorted({**_NAMES, **_VECTORS, **_ALIASES})
