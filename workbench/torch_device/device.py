"""``torch.wb``: what PyTorch asks a device module, and the registration under PrivateUse1.

PyTorch keeps one slot for a device that it does not know, PrivateUse1, with one name per process.
`claim` takes it, or raises naming the holder. The functions here are those of ``torch.cuda``, under
the same names. They refuse to guess: what the active tier lacks raises.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

import contextlib
import types

import torch
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from workbench.errors import InstallationError, UnavailableError
from workbench.torch_device import generators
from workbench.torch_device.core import allocator, devices, events, memory, streams
from workbench.torch_device.core.tensors import NAME

TORCH_VERSION = "2.13"
"""The version this device is written for: the hooks it uses are private and change."""


class DeviceTakenError(UnavailableError, RuntimeError):
    """PrivateUse1 belongs to another package in this process."""


def check_torch() -> None:
    """Raise where PyTorch is another version, or PrivateUse1 has another owner.

    Raises
    ------
    InstallationError
        For another version.
    DeviceTakenError
        Naming the holder.
    """
    if not torch.__version__.startswith(TORCH_VERSION + "."):
        raise InstallationError(
            f"The wb device needs PyTorch {TORCH_VERSION}.",
            f"torch {torch.__version__}",
            f'pip install "torch=={TORCH_VERSION}.*"',
        )
    holder = torch._C._get_privateuse1_backend_name()
    if holder != "privateuseone" or hasattr(torch, "privateuseone"):
        raise DeviceTakenError(
            "PrivateUse1 has one owner per process, and it is taken.",
            f"the holder is {holder!r}",
            "import workbench.torch_device in a process of its own",
        )


class device(contextlib.ContextDecorator):
    """Make a device current inside a ``with``."""

    def __init__(self, which):
        self.index = devices.index_of(which) if which is not None else -1

    def __enter__(self):
        self.previous = devices.set_device(self.index) if self.index >= 0 else -1
        return self

    def __exit__(self, *exc):
        if self.previous >= 0:
            devices.set_device(self.previous)


def memory_stats(which=None) -> dict[str, int]:
    """Return the allocator's counters under the names that ``torch.cuda`` uses."""
    counted = allocator.statistics(devices.index_of(which))
    return {
        "allocated_bytes.all.current": counted.allocated,
        "allocated_bytes.all.peak": counted.allocated_peak,
        "reserved_bytes.all.current": counted.reserved,
        "reserved_bytes.all.peak": counted.reserved_peak,
        "allocation.all.allocated": counted.allocations,
        "allocation.all.freed": counted.frees,
        "allocation.all.cache_hits": counted.cache_hits,
        "num_ooms": counted.out_of_memory,
    }


def _statistic(name: str):
    def read(device=None) -> int:
        return memory_stats(device)[name]

    read.__doc__ = f"Return ``{name}`` in bytes."
    return read


def mem_get_info(which=None) -> tuple[int, int]:
    """Return free and total memory of a device in bytes."""
    used = allocator.statistics(devices.index_of(which)).reserved
    return memory.DEVICE_BYTES - used, memory.DEVICE_BYTES


def reset_peak_memory_stats(which=None) -> None:
    """Start the peaks again from what is held now."""
    allocator.reset_peak(devices.index_of(which))


def get_device_properties(which=None) -> types.SimpleNamespace:
    """Return name and size of a device."""
    index = devices.index_of(which)
    return types.SimpleNamespace(
        name=f"workbench device {index}", total_memory=memory.DEVICE_BYTES, multi_processor_count=2
    )


def set_stream(stream: streams.Stream) -> None:
    """Make a stream current on this thread."""
    streams.set_current(stream)


MODULE = types.ModuleType("torch.wb", __doc__)
MODULE.__dict__.update(
    is_available=lambda: True,
    is_initialized=lambda: True,
    _initialized=True,  # checkpointing keeps the random state of an initialised device only
    init=lambda: None,
    OutOfMemoryError=torch.OutOfMemoryError,
    can_device_access_peer=lambda device, peer: device != peer,
    is_current_stream_capturing=lambda: False,
    is_built=lambda: True,
    _is_in_bad_fork=lambda: devices.forked,
    device_count=lambda: memory.DEVICE_COUNT,
    current_device=devices.current_device,
    set_device=lambda which: devices.set_device(devices.index_of(which)) and None,
    _exchange_device=devices.set_device,
    _maybe_exchange_device=lambda index: devices.set_device(index) if index >= 0 else -1,
    get_device_name=lambda which=None: get_device_properties(which).name,
    get_device_capability=lambda which=None: (0, 0),
    get_device_properties=get_device_properties,
    device=device,
    Stream=streams.Stream,
    Event=events.Event,
    stream=lambda stream: stream if stream is not None else contextlib.nullcontext(),
    current_stream=lambda which=None: streams.current(devices.index_of(which)),
    default_stream=lambda which=None: streams.default(devices.index_of(which)),
    set_stream=set_stream,
    synchronize=streams.synchronize,
    memory_stats=memory_stats,
    memory_allocated=_statistic("allocated_bytes.all.current"),
    max_memory_allocated=_statistic("allocated_bytes.all.peak"),
    memory_reserved=_statistic("reserved_bytes.all.current"),
    max_memory_reserved=_statistic("reserved_bytes.all.peak"),
    reset_peak_memory_stats=reset_peak_memory_stats,
    mem_get_info=mem_get_info,
    empty_cache=lambda: [allocator.empty_cache(i) for i in range(memory.DEVICE_COUNT)] and None,
    manual_seed=lambda seed: generators.default(devices.current_device()).manual_seed(seed),
    manual_seed_all=generators.manual_seed_all,
    initial_seed=lambda: generators.default(devices.current_device()).initial_seed(),
    get_rng_state=lambda which=None: generators.get_state(devices.index_of(which)),
    get_rng_state_all=lambda: [generators.get_state(i) for i in range(memory.DEVICE_COUNT)],
    set_rng_state_all=lambda states: (
        [generators.set_state(s, i) for i, s in enumerate(states)] and None
    ),
    seed=lambda: generators.default(devices.current_device()).manual_seed(torch.seed()),
    seed_all=lambda: generators.manual_seed_all(torch.seed()),
    set_rng_state=lambda state, which=None: generators.set_state(state, devices.index_of(which)),
    get_amp_supported_dtype=lambda: [torch.float16, torch.bfloat16],
    is_bf16_supported=lambda: True,
)


def claim(with_shim: bool) -> None:
    """Take PrivateUse1 under the name ``wb``.

    Parameters
    ----------
    with_shim : bool
        Whether the C++ shim brings guard and hooks; else PyTorch's Python stand-ins do.
    """
    if not with_shim:
        _setup_privateuseone_for_python_backend(NAME, backend_module=MODULE)
        return
    torch.utils.rename_privateuse1_backend(NAME)
    torch._register_device_module(NAME, MODULE)
    torch.utils.generate_methods_for_privateuse1_backend(for_storage=True)
