"""Which engine launches kernels: our own, or Numba's real CUDA on a GPU.

The engine in use is always visible (`engine`), and nothing switches by itself. The kernel object
stays the same: on the GPU its Python function is handed to Numba with our names replaced by
Numba's. Sanitizing and inspecting always happen on our own.
"""

from __future__ import annotations

import types as python_types
from typing import Any

from workbench.errors import UnavailableError, UnknownNameError
from workbench.simt.intrinsics import IntrinsicName, Namespace

ENGINES = ("simt", "gpu")
_CHOSEN = {"engine": "simt"}


def engine() -> str:
    """Return the engine in use: ``"simt"`` or ``"gpu"``."""
    return _CHOSEN["engine"]


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
    before, _CHOSEN["engine"] = _CHOSEN["engine"], name
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


def on_gpu(kernel: Any) -> Any:
    """Return Numba's own kernel for one of ours, made at first use."""
    made = kernel.__dict__.get("_gpu_kernel")
    if made is None:
        real = _real_cuda()
        made = real.jit(_translated(kernel.py_func, real), device=kernel.device)
        kernel.__dict__["_gpu_kernel"] = made
    return made


def _translated(function: Any, real: Any) -> Any:
    """Return the function with every one of our names replaced by Numba's."""
    code = function.__code__
    scope = {name: _real_value(value, real) for name, value in function.__globals__.items()}
    closure = tuple(
        python_types.CellType(_real_value(cell.cell_contents, real))
        for cell in function.__closure__ or ()
    )
    return python_types.FunctionType(
        code, scope, function.__name__, function.__defaults__, closure or None
    )


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
