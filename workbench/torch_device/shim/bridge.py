"""The C++ tier: build the shim once, load it, and answer its questions from the Python modules.

What it adds over pure Python: `torch.UntypedStorage`, `torch.Stream` and `torch.Event`,
``torch.accelerator``'s memory and synchronisation, pinned memory, `torch.Generator`. The compiled
library is kept in the user's cache folder under the hash of its source and of PyTorch's version.
``WORKBENCH_SHIM`` chooses: ``0`` never, ``1`` always (an error where it cannot be built), ``auto``
(the default) where it is built already or a compiler is there. It refuses to decide anything that
the pure-Python tier decides.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

import atexit
import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import torch

from workbench.errors import InputError, UnavailableError
from workbench.torch_device.codegen.compiler import cache_folder
from workbench.torch_device.core import allocator, devices, events, memory, streams

SOURCES = [Path(__file__).with_name(name) for name in ("shim.cpp", "quick.cpp")]
_ASK = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class ShimError(UnavailableError):
    """The C++ shim cannot be built or loaded."""


def wanted() -> str:
    """Return ``WORKBENCH_SHIM``.

    Raises
    ------
    InputError
        For anything but ``0``, ``1`` and ``auto``.
    """
    text = os.environ.get("WORKBENCH_SHIM", "auto")
    if text not in ("0", "1", "auto"):
        raise InputError("The environment variable WORKBENCH_SHIM cannot be used.", repr(text),
                         "0, 1 or auto")  # fmt: skip
    return text


def library_path() -> Path:
    """Return where the compiled shim lies, or will."""
    texts = [*SOURCES, *sorted(Path(__file__).parent.glob("*.h"))]
    identity = b"".join(p.read_bytes() for p in texts) + torch.__version__.encode()
    return cache_folder() / f"shim_{hashlib.sha256(identity).hexdigest()[:16]}.so"


def build() -> Path:
    """Compile the shim unless it is there already, and return its path.

    Raises
    ------
    ShimError
        Where there is no compiler, or it fails: with its first complaint.
    """
    path = library_path()
    if path.exists():
        return path
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        raise ShimError(
            "There is no C++ compiler to build the device's shim with.",
            "g++ is not on the PATH",
            "install g++, or use WORKBENCH_SHIM=0",
        )
    root = Path(torch.__file__).parent
    with tempfile.TemporaryDirectory() as folder:  # one file after the other: half the memory
        objects = [Path(folder) / f"{source.stem}.o" for source in SOURCES]
        for source, made in zip(SOURCES, objects, strict=True):
            _run(compiler, "-std=c++20", "-O1", "-w", "-fPIC", f"-I{root / 'include'}", "-c",
                 str(source), "-o", str(made))  # fmt: skip
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        _run(compiler, "-shared", *map(str, objects), "-o", str(scratch), f"-L{root / 'lib'}",
             "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{root / 'lib'}")  # fmt: skip
    scratch.replace(path)
    return path


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), "")
        raise ShimError("The device's C++ shim does not compile.", complaint,
                        "use WORKBENCH_SHIM=0, which needs no compiler")  # fmt: skip


_events: dict[int, events.Event] = {}
_pinned_bytes: dict[int, int] = {}
_lock = threading.Lock()
_next_event = 1
_counters = (
    "allocated", "allocated_peak", "reserved", "reserved_peak", "allocations", "frees",
    "cache_hits", "out_of_memory",
)  # fmt: skip


def _stream(packed: int) -> streams.Stream:
    return streams.STREAMS[packed >> 8, packed & 255]


def _set_stream(number: int, device: int) -> int:
    return streams.set_current(streams.STREAMS[number, device]).stream_id


def _record_event(event: int, packed: int) -> int:
    global _next_event
    with _lock:
        if not event:
            event, _next_event = _next_event, _next_event + 1
            _events[event] = events.Event(enable_timing=True)
    _events[event].record(_stream(packed))
    return event


def _pin(address: int, nbytes: int) -> None:
    _pinned_bytes[address] = nbytes
    memory.pinned.add(address)


def _unpin(address: int, _: int) -> None:
    _pinned_bytes.pop(address, None)
    memory.pinned.discard(address)


def _is_pinned(address: int, _: int) -> bool:
    return any(a <= address < a + max(n, 1) for a, n in _pinned_bytes.items())


def _empty_all(a: int, b: int) -> None:
    for device in range(memory.DEVICE_COUNT):
        allocator.empty_cache(device)


def _elapsed(begin: int, end: int) -> int:
    return int(_events[begin].elapsed_time(_events[end]) * 1e6)


ANSWERS = (
    allocator.allocate,
    lambda address, b: allocator.free(address),
    lambda address, stream: allocator.record_stream(address, stream),
    lambda device, which: getattr(allocator.statistics(device), _counters[which]),
    lambda device, b: allocator.reset_peak(device),
    _empty_all,
    lambda device, b: devices.set_device(device),
    lambda device, b: streams.current(device).stream_id,
    _set_stream,
    lambda device, priority: streams.Stream(device, priority).stream_id,
    lambda number, device: streams.STREAMS[number, device].query(),
    lambda number, device: streams.STREAMS[number, device].synchronize(),
    lambda device, b: streams.synchronize(device),
    _record_event,
    lambda event, packed: _events[event].wait(_stream(packed)),
    lambda event, b: _events[event].query(),
    lambda event, b: _events[event].synchronize(),
    lambda event, b: _events.pop(event, None) and None,
    _elapsed,
    _is_pinned,
    _pin,
    _unpin,
)
"""One function per `Question` in ``shim.cpp``, in its order."""

_library = None
_message = b""


@_ASK
def _ask(question: int, a: int, b: int) -> int:
    global _message
    try:
        return int(ANSWERS[question](a, b) or 0)
    except BaseException as error:  # handed to C++, which raises it again with this text
        _message = str(error).encode()
        _library.wb_fail(_message)
        return -1


def load() -> ctypes.PyDLL:
    """Build and load the shim, register its objects with PyTorch, and return it."""
    global _library
    _library = ctypes.PyDLL(str(build()))
    _library.wb_fail.argtypes = [ctypes.c_char_p]
    _library.wb_start.argtypes = [_ASK, ctypes.c_int, *[ctypes.c_int64] * 3]
    _library.wb_start(_ask, memory.DEVICE_COUNT, memory.DELTA, memory.BASE, memory.DEVICE_BYTES)
    atexit.register(_library.wb_stop)
    return _library


def available() -> bool:
    """Return whether the shim is built already or could be."""
    return library_path().exists() or shutil.which(os.environ.get("CXX", "g++")) is not None
