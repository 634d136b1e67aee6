"""Which devices there are, which one is current, and whether this process may use them.

It refuses to work in a child made by ``fork``, as CUDA does: the streams' threads stay behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from workbench.errors import ExecutionError
from workbench.torch_device.codegen import compiler
from workbench.torch_device.core import memory
from workbench.torch_device.driver.queue import BOARD, HOLD


class ForkedProcessError(ExecutionError, RuntimeError):
    """The device was touched in a child made by ``fork``, where its streams do not exist."""


forked = False
_current_device = 0
listener: Callable[[int], None] = lambda device: None  # noqa: E731
"""Told the current device whenever it changes; the shim's."""


def index_of(device) -> int:
    """Return the index of a device given as a device, a string, a number or None."""
    index = device if device is None or isinstance(device, int) else torch.device(device).index
    return _current_device if index is None else index


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
    """Return the index of the current device."""
    return _current_device


def set_device(index: int) -> int:
    """Make a device current and return the one that was."""
    global _current_device
    previous, _current_device = _current_device, check_index(index)
    listener(_current_device)
    return previous


def _mark_forked() -> None:
    global forked
    forked = True
    BOARD[0] = HOLD


os.register_at_fork(after_in_child=_mark_forked)
compiler.check_process = check_not_forked
