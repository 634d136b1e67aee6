"""The device as the host sees it: one, which is this machine's processor.

Numba's host code asks for devices, contexts and compute capabilities before it launches; these
answers let it run, and say truthfully what they describe.
"""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil

from workbench.simt.host import limits


class Device:
    """The CPU engine as a CUDA device.

    Attributes
    ----------
    id : int
    name : bytes
    compute_capability : tuple of int
        The capability whose kernel-side rules the engine keeps.
    """

    id = 0
    compute_capability = (9, 0)
    uuid = "GPU-00000000-0000-0000-0000-000000000000"
    WARP_SIZE = limits.WARP_SIZE
    MAX_THREADS_PER_BLOCK = limits.MAX_THREADS_PER_BLOCK
    MAX_BLOCK_DIM_X, MAX_BLOCK_DIM_Y, MAX_BLOCK_DIM_Z = limits.MAX_BLOCK_DIM
    MAX_GRID_DIM_X, MAX_GRID_DIM_Y, MAX_GRID_DIM_Z = limits.MAX_GRID_DIM
    MAX_SHARED_MEMORY_PER_BLOCK = limits.MAX_STATIC_SHARED_BYTES
    MULTIPROCESSOR_COUNT = psutil.cpu_count(logical=True) or 1
    supports_float16 = True
    supports_bfloat16 = False

    @property
    def name(self) -> bytes:
        """What runs the kernels."""
        return f"CPU engine ({platform.processor() or platform.machine()})".encode()

    def reset(self) -> None:
        """Do nothing: the engine holds no state between launches."""

    def get_primary_context(self) -> Context:
        """Return the only context."""
        return CONTEXT


class Context:
    """The only context of the only device."""

    device = Device()

    def synchronize(self) -> None:
        """Return at once: launches are done when they return."""

    def reset(self) -> None:
        """Do nothing: the engine holds no state between launches."""

    def get_memory_info(self) -> tuple[int, int]:
        """Return (free, total) bytes of the host's memory, which is the device's."""
        memory = psutil.virtual_memory()
        return memory.available, memory.total

    def memhostalloc(self, bytesize: int, mapped: bool = False, **options: Any) -> np.ndarray:
        """Return bytes of host memory, which the device sees whether `mapped` or not."""
        return np.empty(bytesize, np.uint8)

    @contextlib.contextmanager
    def defer_cleanup(self) -> Iterator[None]:
        """Return a context without effect."""
        yield


CONTEXT = Context()


class _Devices:
    """`cuda.gpus`: a sequence of one."""

    lst = (Context.device,)

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> Any:
        if index not in (0, -1):
            raise IndexError("the CPU engine is one device, number 0")
        return contextlib.nullcontext(Context.device)

    def __iter__(self):
        return iter((contextlib.nullcontext(Context.device),))

    @property
    def current(self) -> Device:
        """The device in use."""
        return Context.device


gpus = _Devices()


def current_context(devnum: int | None = None) -> Context:
    """Return the context of a device."""
    return CONTEXT


def get_current_device() -> Device:
    """Return the device in use."""
    return Context.device


def list_devices() -> _Devices:
    """Return every device."""
    return gpus


def select_device(device_id: int) -> Device:
    """Choose a device; there is one, number 0."""
    if int(device_id) != 0:
        raise IndexError("the CPU engine is one device, number 0")
    return Context.device


def close() -> None:
    """Do nothing: the engine holds no context."""


def detect() -> bool:
    """Print which device runs kernels, and return whether there is one."""
    print(f"Found 1 CUDA device: id 0, {Context.device.name.decode()}")
    return True


@contextlib.contextmanager
def defer_cleanup() -> Iterator[None]:
    """Return a context without effect: memory is freed by Python."""
    yield


@contextlib.contextmanager
def profiling() -> Iterator[None]:
    """Return a context without effect: see `workbench.inspect`."""
    yield


def profile_start() -> None:
    """Do nothing: see `workbench.inspect`."""


def profile_stop() -> None:
    """Do nothing: see `workbench.inspect`."""


@contextlib.contextmanager
def pinned(*arrays: Any) -> Iterator[None]:
    """Return a context without effect: host and device memory are one."""
    yield


@contextlib.contextmanager
def mapped(*arrays: Any, **options: Any) -> Iterator[Any]:
    """Give device arrays over host arrays."""
    from workbench.simt.host.memory import DeviceArray

    found = [DeviceArray(array) for array in arrays]
    yield found[0] if len(found) == 1 else found


def cuda_error() -> None:
    """Return None: there is no driver that could fail."""
