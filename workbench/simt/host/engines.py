"""Which engine launches kernels: our own, or Numba's real CUDA on a GPU.

The engine in use is always visible (`engine`): Numba's real CUDA where there is a GPU that it can
use, else our own; later nothing switches by itself. The kernel object
stays the same: on the GPU its Python function is handed to Numba with our names replaced by
Numba's. Sanitizing and inspecting always happen on our own.
"""

from __future__ import annotations

import ctypes
import types as python_types
from typing import Any

from workbench.errors import UnavailableError, UnknownNameError
from workbench.simt.frontend.intrinsics import IntrinsicName, Namespace
from workbench.simt.host.memory import host_view

ENGINES = ("simt", "gpu")
_CHOSEN = {"engine": ""}
_DRIVERS = ("libcuda.so.1", "nvcuda.dll")


def engine() -> str:
    """Return the engine in use: ``"simt"`` or ``"gpu"``."""
    if not _CHOSEN["engine"]:
        _CHOSEN["engine"] = _default()
    return _CHOSEN["engine"]


def _default() -> str:
    """Return ``"gpu"`` where Numba can launch on one.

    Numba's CUDA is imported only where Nvidia's driver is installed.
    """
    if not any(_loads(name) for name in _DRIVERS):
        return "simt"
    try:
        _real_cuda()
    except UnavailableError:
        return "simt"
    return "gpu"


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def use(name: str) -> str:
    """Launch every later kernel on an engine.

    Parameters
    ----------
    name : {"simt", "gpu"}

    Returns
    -------
    str
        The engine used before.

    Raises
    ------
    UnavailableError
        Where there is no GPU that Numba can use.
    """
    if name not in ENGINES:
        raise UnknownNameError("engine", name, ENGINES)
    if name == "gpu":
        _real_cuda()
    before, _CHOSEN["engine"] = engine(), name
    return before


def _real_cuda() -> Any:
    import importlib
    import sys

    here = sys.modules.get("numba.cuda")
    if here is not None and here.__name__ == "workbench.simt.cuda":
        raise UnavailableError(
            "Numba's real CUDA is hidden: this process runs with workbench.simt.install().",
            "numba.cuda is the CPU engine",
            "start a process without install()",
        )
    try:
        real = importlib.import_module("numba.cuda")
        usable, why = real.is_available(), "Numba finds no CUDA driver or device"
    except ImportError as error:
        usable, why = False, str(error)
    if not usable:
        raise UnavailableError(
            "There is no GPU to launch on.",
            why,
            "stay on the CPU engine: cuda.use('simt')",
        )
    return real


def launch(kernel: Any, configured: Any, args: tuple) -> None:
    """Run a launch on the GPU. Arrays go there and come back with it, wherever they were before."""
    made = on_gpu(kernel)
    kernel.last_tier, kernel.reason = "gpu", "the engine in use"
    grid, block = tuple(configured.grid), tuple(configured.block)
    made[grid, block, 0, configured.shared_bytes](*(host_view(value) for value in args))


def on_gpu(kernel: Any) -> Any:
    """Return Numba's own kernel for one of ours, made at first use."""
    made = kernel.__dict__.get("_gpu_kernel")
    if made is not None:
        return made
    real, function = _real_cuda(), kernel.py_func
    scope, cells = dict(function.__globals__), function.__closure__ or ()
    closure = tuple(python_types.CellType() for _ in cells)
    translated = python_types.FunctionType(
        function.__code__, scope, function.__name__, function.__defaults__, closure or None
    )
    made = real.jit(translated, device=kernel.device)
    kernel.__dict__["_gpu_kernel"] = made  # before its names: it may be one of them
    for name in _names_in(function.__code__):
        if name in scope:
            scope[name] = _real_value(scope[name], real)
    for new, old in zip(closure, cells, strict=True):
        new.cell_contents = _real_value(old.cell_contents, real)
    return made


def _names_in(code: python_types.CodeType) -> set[str]:
    inner = [part for part in code.co_consts if isinstance(part, python_types.CodeType)]
    return set(code.co_names).union(*(_names_in(part) for part in inner))


def _real_value(value: Any, real: Any) -> Any:
    if isinstance(value, python_types.ModuleType) and value.__name__ == "workbench.simt.cuda":
        return real
    if isinstance(value, IntrinsicName):
        for part in value.name.split("."):
            real = getattr(real, part)
        return real
    if isinstance(value, Namespace):
        return getattr(real, value._name)
    if getattr(value, "__simt_function__", None) is not None:
        return on_gpu(value)
    return value
