"""The pure-Python tier: storages without an allocator in C++, and refusals instead of pretence.

PyTorch builds a bare storage in C++, through an allocator that this tier does not have: the call
would crash the process. Here `torch.UntypedStorage(n, device="wb")` is answered from a block of our
own instead, which is what deepcopy, pickle, `torch.save` and `torch.load` need. The device-neutral
`torch.Stream` and `torch.Event` would be silent no-ops, and raise; `torch.wb.Stream` works. A
`torch.Generator` of the device exists in C++ only, and raises in our words.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportCallIssue=false, reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Callable

import torch

from workbench.errors import UnavailableError
from workbench.torch_device.core import devices, memory, streams, tensors


class NeedsShimError(UnavailableError, RuntimeError):
    """The pure-Python tier lacks this; the C++ shim has it."""


def needs_shim(what: str, instead: str) -> NeedsShimError:
    """Return the error for something that only the C++ shim can give."""
    return NeedsShimError(
        f"{what} needs the device's C++ shim, which is not loaded.",
        "the pure-Python tier is active",
        f"{instead}, or install g++ and start again with WORKBENCH_SHIM=1",
    )


def _is_ours(device) -> bool:
    return device is not None and torch.device(device).type == tensors.NAME


def install() -> None:
    """Patch the classes of PyTorch that would crash, pretend or not explain on this tier."""
    torch.UntypedStorage.__new__ = staticmethod(_new_storage)
    torch.UntypedStorage.to = _storage_to
    torch.Tensor.pin_memory = _refuse_pinning
    torch.autograd._engine_run_backward = _run_backward
    torch.Stream = _for_us(torch.Stream, streams.Stream)
    torch.Event = _for_us(torch.Event, _refuse_event)
    torch.Generator = _for_us(torch.Generator, _refuse_generator, bare=False)


_plain_new = torch._C.StorageBase.__new__
_plain_to = torch.UntypedStorage.to


def _new_storage(cls, *args, device=None, **kwargs):
    if not _is_ours(device):
        return (
            _plain_new(cls, *args, **kwargs)
            if device is None
            else _plain_new(cls, *args, device=device, **kwargs)
        )
    index = devices.index_of(device)
    if args and not isinstance(args[0], int):
        values = torch.tensor(list(args[0]), dtype=torch.uint8)
        return values.to(torch.device(tensors.NAME, index)).untyped_storage()
    return tensors.empty([args[0] if args else 0], torch.uint8, index).untyped_storage()


def _storage_to(self, *, device, non_blocking=False):
    if not _is_ours(device):
        return _plain_to(self, device=device, non_blocking=non_blocking)
    made = _new_storage(torch.UntypedStorage, self.nbytes(), device=device)
    return made.copy_(self, non_blocking)


def _refuse_event(*args, **kwargs):
    raise needs_shim("torch.Event", "use torch.wb.Event")


def _refuse_generator(*args, **kwargs):
    seeded = "leave generator=None and seed the device's own with torch.manual_seed"
    raise needs_shim("torch.Generator", seeded)


def _refuse_pinning(self, device=None):
    raise needs_shim("pinned memory", "leave pin_memory=False: copies then wait for the stream")


_plain_backward = torch.autograd._engine_run_backward


def _run_backward(*args, **kwargs):
    """Run the engine, which counts devices in C++: without the shim it knows of one."""
    try:
        return _plain_backward(*args, **kwargs)
    except RuntimeError as error:
        if "device_ready_queues_" not in str(error):
            raise
        raise needs_shim(
            "backward() through a second device", "keep the network on wb:0"
        ) from error


def _for_us(original: type, ours: Callable, bare: bool = True) -> type:
    """Return a stand-in for a class that makes ours for our device; `bare`: with no device, too."""

    class Meta(type):
        def __instancecheck__(cls, value):
            return isinstance(value, original)

        def __subclasscheck__(cls, other):
            return issubclass(other, original)

        def __call__(cls, *args, **kwargs):
            if "stream_id" in kwargs:
                return original(*args, **kwargs)
            device = kwargs.get("device", args[0] if args else None)
            if (bare and device is None) or isinstance(device, int) or _is_ours(device):
                return ours(*args, **kwargs)
            return original(*args, **kwargs)

    return Meta(original.__name__, (), {"__doc__": original.__doc__})


def memory_is_closed() -> bool:
    """Return whether a host access faults on this platform."""
    return memory.FAULTS
