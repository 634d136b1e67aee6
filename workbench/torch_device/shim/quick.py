"""What the shim's hot path may answer: a plan per operator, and kernels as they are compiled.

The tables in `ops` stay the only place that says what an operator computes. For those whose
arguments are tensors and numbers alone, `register` tells ``quick.cpp`` the arguments' roles. The
first call with new dtypes goes through Python as always; `offer` then hands the compiled kernel's
address to C++, and the next call never enters Python. It refuses operators with other arguments,
and counts its calls itself (`calls`): they appear in no counter of `traffic`.
"""

# PyTorch's private parts are untyped.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch

from workbench.torch_device import ops, traffic, vendor
from workbench.torch_device.codegen import rows, strided
from workbench.torch_device.codegen.compiler import Kernel
from workbench.torch_device.codegen.launch import NOW, SPLIT_FROM
from workbench.torch_device.core import allocator, devices, memory, tensors, views
from workbench.torch_device.core.views import overload
from workbench.torch_device.driver import team
from workbench.torch_device.driver.queue import BOARD, HOLD
from workbench.torch_device.ops import pointwise
from workbench.torch_device.ops.fast import KERNELS as FAST
from workbench.torch_device.ops.pointwise import KERNELS as ROWS
from workbench.torch_device.ops.pointwise import Pointwise

WAITING = "MAIA"
"""The dispatch key under which the Python kernel of a planned operator waits: nobody else's."""
_UNUSED = "HPU"
"""An unused backend's key: under it PyTorch has the kernels generated around ``.out``."""
_SMALL = 4096  # elements: above it the vendor library may be faster

_NUMBERS = {"number", "Scalar", "float", "int"}
_DTYPE_NUMBERS = {
    torch.uint8: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.int64: 4,
    torch.float16: 5, torch.float32: 6, torch.float64: 7, torch.bool: 11, torch.bfloat16: 15,
}  # fmt: skip
"""c10/core/ScalarType.h"""
_COUNTERS = 5  # allocations, frees, cache hits, live bytes, peak of live bytes: quick.h

_library: Any = None
_plans: dict[str, tuple[int, int]] = {}
_calls: dict[str, int] = {}
_offered: set = set()


def connect(library) -> None:
    """Put the loaded shim behind allocator, streams, tensors and operators."""
    global _library
    _library = library
    text, number = ctypes.c_char_p, ctypes.c_int
    library.wb_plan.argtypes = [text, text, text, ctypes.POINTER(ctypes.c_double),
                                number, number, number, ctypes.c_int64]  # fmt: skip
    library.wb_offer.argtypes = [number, ctypes.c_uint32, ctypes.c_void_p]
    library.wb_limit.argtypes = [number, ctypes.c_int64]
    library.wb_board.argtypes = [ctypes.c_void_p, ctypes.c_int64]
    library.wb_calls.restype = ctypes.c_int64
    library.wb_counters.restype = ctypes.POINTER(ctypes.c_int64)
    library.wb_walk.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    entry: Any = team.PARALLEL
    address = ctypes.cast(entry, ctypes.c_void_p) if entry else None
    library.wb_walk(address, strided.driver(False).address)
    library.wb_copied_bytes.restype = library.wb_library_calls.restype = ctypes.c_int64
    library.wb_library.argtypes = [text, text, ctypes.c_int64, number]
    traffic.BYTES.gather = lambda: {"d2d": library.wb_copied_bytes()}
    traffic.VENDOR.gather = _library_calls
    vendor.listener = library.wb_library_mode
    library.wb_library_mode(vendor.enabled)
    counters = library.wb_counters()
    allocator.gather = library.wb_gather
    allocator.statistics = lambda device: _statistics(counters, device)
    allocator.reset_peak = _reset_peak
    library.wb_board(ctypes.addressof(BOARD), HOLD)
    devices.listener = library.wb_current
    library.wb_current(devices.current_device())
    tensors.empty_strided = _empty_strided
    tensors.empty = _empty
    ops.in_front, ops.allow_in_front, pointwise.offer = register_rows, allow, offer


def _library_calls() -> dict[str, int]:
    if not _library.wb_library_news():
        return {}
    return {name: _library.wb_library_calls(number) for name, number in _calls.items()}


def _statistics(counters, device: int) -> allocator.Statistics:
    own = allocator.POOLS[device].statistics
    made, freed, hits, live, peak = counters[device * _COUNTERS : (device + 1) * _COUNTERS]
    return allocator.Statistics(
        allocated=live, allocated_peak=peak, reserved=own.reserved,
        reserved_peak=own.reserved_peak, allocations=made, frees=freed,
        cache_hits=hits + own.cache_hits, out_of_memory=own.out_of_memory,
    )  # fmt: skip


def _reset_peak(device: int) -> None:
    _library.wb_reset_peak(device)
    own = allocator.POOLS[device].statistics
    own.reserved_peak = own.reserved


_DEVICES = [torch.device("privateuseone", i) for i in range(memory.DEVICE_COUNT)]


def _empty_strided(size, strides, dtype: torch.dtype, device: int) -> torch.Tensor:
    return torch.empty_strided(size, strides, dtype=dtype, device=_DEVICES[device])


def _empty(size, dtype: torch.dtype, device: int) -> torch.Tensor:
    return torch.empty(size, dtype=dtype, device=_DEVICES[device])


def _roles(op, used: set[str]) -> tuple[str, list[float]] | None:
    """Return a letter per argument (see quick.cpp) and defaults, or None where one has none."""
    roles, defaults = "", []
    for argument in op._schema.arguments:
        kind, default = str(argument.type), argument.default_value
        if kind == "Tensor" and argument.name in used:
            roles += "t"
        elif kind in _NUMBERS and argument.name in used:
            roles += "n"
        elif kind in _NUMBERS and isinstance(default, (int, float)):
            roles += "d"
        else:
            return None
        defaults.append(float(default) if roles[-1] == "d" else 0.0)
    return roles, defaults


def _forms(row: Pointwise) -> Iterator[str]:
    """Return the overloads that compute a row into a fresh tensor or into their first argument."""
    base = row.name.partition(".")[0]
    wanted = [name for name, *_ in row.arguments]
    for packet in (base, f"{base}_"):
        for which in getattr(getattr(torch.ops.aten, packet, None), "overloads", list)():
            name = packet if which == "default" else f"{packet}.{which}"
            arguments = overload(name)._schema.arguments
            if [a.name for a in arguments] == wanted and not any(a.is_out for a in arguments):
                yield name


def _plan(name: str, row: Pointwise, used: set[str], kernels: dict, library) -> bool:
    """Let C++ answer an operator; return whether its arguments and its row allow that."""
    op = overload(name)
    found = _roles(op, used)
    in_place = op._schema.arguments[0].alias_info is not None
    generated = name not in kernels or name in FAST
    if generated and not torch._C._dispatch_has_computed_kernel_for_dispatch_key(
        op.name(), _UNUSED
    ):
        return False
    if found is None or (in_place and row.result == "bool"):
        return False
    roles, defaults = found
    base, _, which = name.partition(".")
    values = (ctypes.c_double * len(defaults))(*defaults)
    limit = NOW if team.PARALLEL is not None else SPLIT_FROM
    limit = _SMALL if row.name in vendor.POINTWISE else limit
    number = _library.wb_plan(f"aten::{base}".encode(), which.encode(), roles.encode(), values,
                              in_place, row.result == "bool", generated, limit)  # fmt: skip
    _plans[name] = number, limit
    row.forms.append(number)
    if not generated:
        library.impl(name, kernels[name], WAITING)
    return True


def offer(row: Pointwise, operands: dict[str, Any], out: torch.Tensor, kernel: Kernel) -> None:
    """Hand a row's compiled kernel to C++: its next call with these dtypes does without Python."""
    key, dtypes = 1, set()
    for value in operands.values():
        if isinstance(value, torch.Tensor):
            dtypes.add(value.dtype)
            key *= 3
        else:
            key = key * 3 + (2 if isinstance(value, float) else 1)
    dtype = next(iter(dtypes))
    fits = out.dtype is (torch.bool if row.result == "bool" else dtype)
    if len(dtypes) > 1 or not fits or dtype not in _DTYPE_NUMBERS or (row, key, dtype) in _offered:
        return
    if any(isinstance(value, complex) for value in operands.values()):
        return
    _offered.add((row, key, dtype))
    for number in row.forms:
        _library.wb_offer(number, key * 64 + _DTYPE_NUMBERS[dtype], kernel.address)


def calls() -> dict[str, int]:
    """Return how often each operator was answered without Python."""
    counts = {name: _library.wb_calls(number) for name, (number, _) in _plans.items()}
    return {name: n for name, n in counts.items() if n}


def allow(operator: str, on: bool) -> None:
    """Let C++ answer the forms of an operator (again), or leave all of them to Python."""
    for name, (number, limit) in _plans.items():
        if name.partition(".")[0].removesuffix("_") == operator.partition(".")[0].removesuffix("_"):
            _library.wb_limit(number, limit if on else 0)


def register_minimal(library: torch.library.Library) -> set[str]:
    """Register views and allocation in C++ and return their names."""
    for name in views.METADATA_KERNELS:
        base, _, which = name.partition(".")
        _library.wb_metadata(f"aten::{base}".encode(), which.encode())
    for name in ("empty.memory_format", "empty_strided"):
        base, _, which = name.partition(".")
        _library.wb_empty(f"aten::{base}".encode(), which.encode(), name == "empty_strided")
        library.impl(name, views.KERNELS[name], WAITING)
    number = _library.wb_copy(b"aten::_copy_from")
    library.impl("_copy_from", views.KERNELS["_copy_from"], WAITING)
    rows.copied = functools.partial(_offer_copy, number)
    return {*views.METADATA_KERNELS, "empty.memory_format", "empty_strided", "_copy_from"}


def _offer_copy(number: int, dtype: torch.dtype, kernel: Kernel) -> None:
    """Hand the kernel that copies tensors of one dtype to C++."""
    if dtype in _DTYPE_NUMBERS and dtype not in _offered:
        _offered.add(dtype)
        _library.wb_offer(number, _DTYPE_NUMBERS[dtype], kernel.address)


def _register_library(kernels: dict[str, Callable], library: torch.library.Library) -> set[str]:
    """Let C++ call the vendor library where an operator writes into an output."""
    for name in vendor.WRITING:
        if name in kernels:
            base, _, which = name.partition(".")
            least = _SMALL if name in vendor.POINTWISE else 0
            number = _library.wb_library(f"aten::{base}".encode(), which.encode(), least,
                                         vendor.LEFT.get(name, -1))  # fmt: skip
            library.impl(name, kernels[name], WAITING)
            _calls[name] = number
    return set(_calls)


def register_rows(kernels: dict[str, Callable], library: torch.library.Library) -> set[str]:
    """Register elementwise operators in C++ and return their names."""
    taken = _register_library(kernels, library)
    for row in ROWS.values():
        if isinstance(row, Pointwise):
            used = {name for name, _, mentioned, _ in row.arguments if mentioned}
            names = [n for n in _forms(row) if n not in taken]
            taken |= {n for n in names if _plan(n, row, used, kernels, library)}
    return taken
