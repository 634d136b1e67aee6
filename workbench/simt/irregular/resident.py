"""The scheduler's machine code: compiled once, kept on disk, called by every kernel by address.

Linked into a kernel it would be compiled again with each. The file in the user's cache only names
it, so that Numba has a place to keep the machine code beside.
"""

from __future__ import annotations

import threading
from typing import Any

import numba
from numba import types

from workbench.simt.codegen.module import Module
from workbench.simt.compiled.build import loaded
from workbench.simt.compiled.cache import engine_stamp, place, read_module, write_module

_TEXT = """from workbench.simt.irregular.scheduler import next_turn


def turn(home, moved, went_on, control):
    return next_turn(home, moved, went_on, control)
"""
_SIGNATURE = types.int64(types.int64, types.int64, types.int64, types.int64)
_lock = threading.Lock()
_made: dict[str, Any] = {}


def turn_address() -> int:
    """Return the address of `scheduler.next_turn` as a C function."""
    with _lock:
        if "turn" not in _made:
            _made["turn"] = _compiled()
    return _made["turn"].address


def _compiled() -> Any:
    module, path = Module(_TEXT, "turn"), place(f"scheduler_{engine_stamp()}.py")
    if path is not None and read_module(path) is None:
        path = write_module(path, module)
    return numba.cfunc(_SIGNATURE, cache=path is not None)(loaded(module, path))
