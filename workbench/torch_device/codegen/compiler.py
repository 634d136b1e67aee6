"""Kernels as text, compiled by Numba once and kept on disk for the next process.

Every kernel has one form, ``int64 kernel(int64 *w)``: a block of 64-bit words in, a status out (0
is success). Words ``w[0]`` and ``w[1]`` are the range of rows or elements to do, so that any
kernel can be shared between cores. The rest are addresses, strides and numbers, in an order
that the family which generates the text knows.

A kernel's file lies in the user's cache folder, where it can be read, and Numba keeps the machine
code beside it. This module refuses to launch anything on a stream (`launch` does).
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numba

from workbench import cache
from workbench.torch_device.codegen import functions, ordering, vector_math

_VERSION = "5"
_HEADER = """import math
import numpy as np
from numba import cfunc, types
from workbench.torch_device.codegen.functions import *
from workbench.torch_device.codegen.intrinsics import *
from workbench.torch_device.codegen.ordering import *
from workbench.torch_device.codegen.vector_math import *

@cfunc(types.int64(types.CPointer(types.int64)), cache=True, error_model="numpy"{fast})
"""
_RELEASES_GIL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p)
_KEEPS_GIL = ctypes.PYFUNCTYPE(ctypes.c_int64, ctypes.c_char_p)
_lock = threading.Lock()
_COSTS = "the device's kernels and its shim are compiled again in each process"


def cache_folder() -> Path:
    """Return the user's folder for compiled kernels, or a passing one, with a warning."""
    return cache.folder_or_scratch(
        "torch_device",
        f"kernels-{_VERSION}-numba-{numba.__version__}",
        holds="to keep the device's compiled kernels",
        costs=_COSTS,
    )


_folder: Path | None = None
check_process: Callable[[], None] = lambda: None  # noqa: E731
"""Raises where this process may not use the device; `core.devices` puts its own here."""


class Kernel:
    """A compiled kernel.

    Attributes
    ----------
    name : str
    address : int
        Of the machine code.
    run, run_briefly : callable
        Call it with a ``bytes`` of words; the second keeps Python's lock, for small work.
    source : Path
        The file with its text, or where it would lie if the disk were not full.
    """

    def __init__(self, name: str, compiled, source: Path):
        self.name, self.source, self._compiled = name, source, compiled
        self.address = compiled.address
        self.run: Callable[[bytes | ctypes.c_char_p], int] = _RELEASES_GIL(self.address)
        self.run_briefly: Callable[[bytes | ctypes.c_char_p], int] = _KEEPS_GIL(self.address)


def _functions_of(body: str) -> str:
    """Return the text of the modules whose functions a kernel calls: Numba misses their changes."""
    words = set(re.findall(r"[A-Za-z_]\w*", body))
    called = [m for m in (functions, ordering, vector_math) if not words.isdisjoint(m.__all__)]
    return "".join(Path(m.__file__).read_text() for m in called)


def compile_kernel(name: str, body: str, fast: bool = False) -> Kernel:
    """Compile the text of a kernel, or load it from the cache.

    Parameters
    ----------
    name : str
        For the file's name.
    body : str
        ``def kernel(w): ...``; may use what `intrinsics` exports.
    fast : bool, optional
        Whether sums may be reordered and multiply-adds fused, which lets loops use vector units.

    Warns
    -----
    CacheRefusedWarning
        Once, where the disk is full: the kernel is compiled for this process alone.
    """
    global _folder
    check_process()  # in a forked child, a thread that is not there may hold the lock for ever
    text = _HEADER.format(fast=', fastmath={"reassoc", "contract", "nsz"}' if fast else "") + body
    digest = hashlib.sha256((text + _functions_of(body)).encode()).hexdigest()[:16]
    with _lock:
        _folder = _folder or cache_folder()
        path = _folder / f"{name}_{digest}.py"
        try:
            compiled = _from_file(path, text)
        except OSError as error:  # a full disk: refused to the text, or to Numba's machine code
            cache.say_refused(error, _COSTS)
            compiled = _in_memory(path, text)
    return Kernel(name, compiled, path)


def _from_file(path: Path, text: str):
    if not path.exists():
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            scratch.write_text(text)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # Numba finds a cached kernel's constants by this name
    spec.loader.exec_module(module)
    return module.kernel


def _in_memory(path: Path, text: str):
    names = {"__name__": path.stem}
    exec(compile(text.replace("cache=True, ", ""), str(path), "exec"), names)
    return names["kernel"]
