"""Which devices there are, which one is current on a thread, and whether this process may use them.

It refuses to work in a child made by ``fork``, as CUDA does: the streams' threads stay behind.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import torch

from workbench.errors import ExecutionError
from workbench.torch_device.codegen import compiler
from workbench.torch_device.core import memory
from workbench.torch_device.driver.queue import BOARD, HOLD


class ForkedProcessError(ExecutionError, RuntimeError):
    """The device was touched in a child made by ``fork``, where its streams do not exist."""


class _Current(threading.local):
    device = 0


forked = False
_current = _Current()
listener: Callable[[int], None] = lambda device: None  # noqa: E731
"""Told a thread's current device, on that thread, whenever it changes; the shim's."""


def index_of(device) -> int:
    """Return the index of a device given as a device, a string, a number or None (the current one).

    Raises
    ------
    ValueError
        For a device of another kind.
    RuntimeError
        For a device that does not exist.
    """
    if device is None:
        return _current.device
    if isinstance(device, int):
        return check_index(device)
    named = torch.device(device)
    if named.type != "wb":
        raise ValueError(f"Expected a wb device, but got: {device}")
    return _current.device if named.index is None else check_index(named.index)


def check_not_forked() -> None:
    """Raise where this process is a forked child."""
    if forked:
        raise ForkedProcessError(
            "The wb device cannot be used in a forked process.",
            "its streams' threads exist in the parent only, and its memory is the parent's",
            "start workers with torch.multiprocessing's 'spawn' method",
        )


def check_index(index: int) -> int:
    """Return the index of a device that exists.

    Raises
    ------
    RuntimeError
        For any other, in the words PyTorch uses for CUDA.
    """
    if not 0 <= index < memory.DEVICE_COUNT:
        raise RuntimeError(
            f"wb error: invalid device ordinal {index}; there are {memory.DEVICE_COUNT} devices, "
            "set WORKBENCH_DEVICE_COUNT before Python starts for more"
        )
    return index


def current_device() -> int:
    """Return the index of this thread's current device."""
    return _current.device


def set_device(index: int) -> int:
    """Make a device current on this thread and return the one that was."""
    previous, _current.device = _current.device, check_index(index)
    listener(index)
    return previous


def _mark_forked() -> None:
    global forked
    forked = True
    BOARD[0] = HOLD


os.register_at_fork(after_in_child=_mark_forked)
compiler.check_process = check_not_forked
