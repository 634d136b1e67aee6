"""Loads the provider's C++ library and connects it with Python.

Compiled at first use where there is a compiler and kept in the user's cache. The module-level
functions ``get_library_path`` and ``get_ep_names`` are what plug-in provider packages offer, so
that `workbench.portability.session` treats ours as any other. It refuses to know operators.
"""

from __future__ import annotations

import atexit
import ctypes
from functools import cache
from pathlib import Path

from workbench.portability._compile import compiled

SOURCE = Path(__file__).with_name("plugin.cpp")
NAME = "WorkbenchExecutionProvider"

MAX_RANK = 16


class TensorRecord(ctypes.Structure):
    """A tensor as the C++ side hands it over: ONNX element type, rank, sizes, address."""

    _fields_ = (
        ("type", ctypes.c_int32),
        ("rank", ctypes.c_int32),
        ("dims", ctypes.c_int64 * MAX_RANK),
        ("data", ctypes.c_void_p),
    )


_int64_pointer = ctypes.POINTER(ctypes.c_int64)
Allocate = ctypes.CFUNCTYPE(
    ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, _int64_pointer, ctypes.c_int32
)
Claim = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint8))
Build = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p, ctypes.c_char_p)
Run = ctypes.CFUNCTYPE(
    ctypes.c_void_p,
    ctypes.c_int64,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.POINTER(TensorRecord),
    Allocate,
)
Forget = ctypes.CFUNCTYPE(None, ctypes.c_int64)


@cache
def load() -> ctypes.CDLL:
    """Return the compiled library with Python's functions set in it.

    Raises
    ------
    UnavailableError
        Where there is no compiler.
    """
    from workbench.portability.provider import engine

    library = ctypes.CDLL(str(compiled(SOURCE, ["-fvisibility=default"])))
    library.workbench_set.argtypes = [Claim, Build, Run, Forget]
    library.workbench_set.restype = None
    callbacks = engine.callbacks()
    library.workbench_set(*callbacks)
    setattr(library, "kept_alive", callbacks)  # noqa: B010  (ctypes objects take any attribute)
    # sessions may outlive the interpreter's last line: then nobody is there to be told of their end
    atexit.register(library.workbench_set, *callbacks[:3], Forget())
    return library


def get_library_path() -> str:
    """Return the library's file, with Python connected to it."""
    return load()._name


def get_ep_names() -> list[str]:
    """Return the provider's name."""
    return [NAME]
