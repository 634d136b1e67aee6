"""Moving data: between global memory and a core, from L1 into L0, and out of the accumulator.

Which pipe carries a copy follows from where it begins and ends, see `ROUTES`. `data_copy` moves
whole blocks of 32 bytes; `data_copy_pad` moves any number of elements and fills the last block.
A copy into L1 turns a row-major matrix into the fractal layout NZ; `load_data` turns NZ into the
layouts of L0A and L0B. It refuses routes that the hardware does not have.
"""

from __future__ import annotations

import reprlib
from typing import Any, NamedTuple

import numpy as np

from workbench.aicore.findings import AICoreError
from workbench.aicore.operations.regions import BLOCK_BYTES, round_up
from workbench.aicore.operations.tensors import GlobalTensor, LocalTensor
from workbench.aicore.recording.recorder import Recorder, recorder


class Route(NamedTuple):
    """Pipe and cost of a way between two memories."""

    pipe: str
    mover: str


ROUTES = {
    ("GM", "UB"): Route("AIV.MTE2", "gm_to_ub"),
    ("UB", "GM"): Route("AIV.MTE3", "ub_to_gm"),
    ("GM", "L1"): Route("AIC.MTE2", "gm_to_l1"),
    ("UB", "UB"): Route("AIV.V", "ub_to_ub"),
    ("L1", "L0A"): Route("AIC.MTE1", "l1_to_l0a"),
    ("L1", "L0B"): Route("AIC.MTE1", "l1_to_l0b"),
    ("L0C", "GM"): Route("AIC.FIX", "l0c_to_gm"),
    ("L0C", "L1"): Route("AIC.FIX", "l0c_to_l1"),
}
_COPIES = {("GM", "UB"), ("UB", "GM"), ("GM", "L1"), ("UB", "UB")}
_CASTS = {
    "float32": ("float32", "float16", "bfloat16"),
    "int32": ("int32",),
}


def data_copy(dst: GlobalTensor | LocalTensor, src: GlobalTensor | LocalTensor) -> None:
    """Copy whole 32-byte blocks; into L1, a row-major matrix becomes NZ.

    Raises
    ------
    AICoreError
        Where rows are not whole blocks (use `data_copy_pad`), addresses are not aligned, shapes or
        dtypes differ, or the hardware has no such way.
    """
    one, route = _begin(dst, src, _COPIES, "data_copy")
    for tensor in (dst, src):
        if isinstance(tensor, LocalTensor) and tensor.layout == "ND":
            row = tensor.shape[-1] * tensor.dtype.itemsize
            if row % BLOCK_BYTES:
                raise AICoreError(
                    "misaligned",
                    "data_copy moves whole blocks of 32 bytes.",
                    f"{tensor!r} has rows of {row} bytes",
                    "data_copy_pad for lengths that do not divide",
                )
    _emit_copy(one, "data_copy", route, dst, src, (dst,), np.nan)


def data_copy_pad(dst: Any, src: Any, pad_value: float = 0.0) -> None:
    """Copy any number of elements; what is left of the last 32-byte block becomes `pad_value`.

    Raises
    ------
    AICoreError
        As `data_copy`, but for the length.
    """
    one, route = _begin(dst, src, {("GM", "UB"), ("UB", "GM")}, "data_copy_pad")
    if not isinstance(pad_value, (int, float, np.number)):
        raise AICoreError("shape", "data_copy_pad fills with one number.", reprlib.repr(pad_value))
    touched = (widened(dst),) if isinstance(dst, LocalTensor) else (dst,)
    _emit_copy(one, "data_copy_pad", route, dst, src, touched, pad_value)


def load_data(dst: LocalTensor, src: LocalTensor, transpose: bool = False) -> None:
    """Bring a part of a matrix from L1 (NZ) into L0A (zZ) or L0B (nZ), transposed if asked."""
    wanted = src.shape[::-1] if transpose else src.shape
    one, route = _begin(dst, src, {("L1", "L0A"), ("L1", "L0B")}, "load_data", wanted)
    cycles = one.costs.move_cycles(route.mover, dst.filled_bytes)
    one.emit(route.pipe, "load_data", (dst,), (src,), _load, (dst, src, transpose), cycles)


def fixpipe(dst: GlobalTensor | LocalTensor, src: LocalTensor, relu: bool = False) -> None:
    """Bring the accumulator out of L0C, cast to the destination's dtype, through relu if asked."""
    allowed = _CASTS.get(src.dtype.name, ())
    if dst.dtype.name not in allowed:
        raise AICoreError(
            "dtype",
            "fixpipe cannot make this data type.",
            f"from {src.dtype} to {dst.dtype}",
            "one of " + (", ".join(allowed) or "none: the accumulator is float32 or int32"),
        )
    one, route = _begin(dst, src, {("L0C", "GM"), ("L0C", "L1")}, "fixpipe", dtype=False)
    out = dst.nbytes if isinstance(dst, GlobalTensor) else 0
    one.emit(
        route.pipe, "fixpipe", (dst,), (src,), _fix, (dst, src, relu),
        one.costs.move_cycles(route.mover, dst.nbytes), gm_bytes=out, atomic=one.atomic and out > 0,
    )  # fmt: skip


def dump(tensor: LocalTensor, label: str = "") -> None:
    """Keep a copy of a UB tensor's values in the run, for looking at afterwards."""
    require_ub("dump", tensor)
    recorder().emit("AIV.V", "dump", (), (tensor,), _dump, (tensor, label), 0.0)


def require_ub(name: str, *tensors: Any) -> None:
    """Raise where a tensor is not in UB at an aligned address."""
    for tensor in tensors:
        if not isinstance(tensor, LocalTensor) or tensor.buffer != "UB":
            raise AICoreError(
                "position", f"{name} works on tensors in UB.", repr(tensor), "copy it there first"
            )
        if tensor.offset % BLOCK_BYTES:
            raise AICoreError(
                "misaligned",
                f"{name} needs addresses that are multiples of {BLOCK_BYTES} bytes.",
                f"{tensor!r} at byte {tensor.offset}",
                f"begin slices at multiples of {BLOCK_BYTES // tensor.dtype.itemsize} elements",
            )


def widened(tensor: LocalTensor) -> LocalTensor:
    """Return the tensor with its rows rounded up to whole 32-byte blocks."""
    item = tensor.dtype.itemsize
    length = round_up(tensor.shape[-1] * item, BLOCK_BYTES) // item
    return tensor._part(tensor.offset, (*tensor.shape[:-1], length))


def _begin(
    dst: Any, src: Any, routes: set, name: str, shape: tuple | None = None, dtype: bool = True
) -> tuple[Recorder, Route]:
    """Check what every movement has in common and return the way it takes."""
    ends = (_place(src, name), _place(dst, name))
    if ends not in routes:
        raise AICoreError(
            "position",
            f"{name} has no way from {ends[0]} to {ends[1]}.",
            f"{src!r} to {dst!r}",
            "ways: " + ", ".join(f"{a} to {b}" for a, b in sorted(routes)),
        )
    if (src.shape if shape is None else shape) != dst.shape:
        raise AICoreError(
            "shape", f"{name} needs equal shapes.", f"{src!r} to {dst!r}", "slice one of them"
        )
    if dtype and src.dtype != dst.dtype:
        raise AICoreError(
            "dtype", f"{name} does not convert.", f"{src.dtype} to {dst.dtype}", "use cast"
        )
    for tensor in (dst, src):
        if isinstance(tensor, LocalTensor) and tensor.buffer == "UB":
            require_ub(name, tensor)
    one, route = recorder(), ROUTES[ends]
    one.units.add(route.pipe[:3])
    return one, route


def _place(tensor: Any, name: str) -> str:
    if isinstance(tensor, LocalTensor):
        return tensor.buffer
    if isinstance(tensor, GlobalTensor):
        return "GM"
    raise AICoreError("position", f"{name} moves tensors.", reprlib.repr(tensor), "slice a tensor")


def _emit_copy(one, name, route, dst, src, touched, pad_value) -> None:
    inside = dst if isinstance(dst, LocalTensor) else src
    outside = src if isinstance(dst, LocalTensor) else dst
    traffic = outside.nbytes if isinstance(outside, GlobalTensor) else 0
    atomic = one.atomic and isinstance(dst, GlobalTensor)
    cycles = one.costs.move_cycles(route.mover, inside.nbytes)
    one.emit(
        route.pipe, name, touched, (src,), _copy,
        (dst, src, touched[0], pad_value, atomic), cycles, gm_bytes=traffic, atomic=atomic,
    )  # fmt: skip


def _copy(memory, dst, src, touched, pad_value, atomic) -> None:
    values = src.view(memory) if isinstance(src, GlobalTensor) else src.load(memory)
    if isinstance(dst, GlobalTensor):
        out = dst.view(memory)
        out[...] = out + values if atomic else values
        return
    if touched.shape != dst.shape:
        touched.view(memory)[..., dst.shape[-1] :] = pad_value
    dst.store(memory, values)


def _load(memory, dst, src, transpose) -> None:
    values = src.load(memory)
    dst.store(memory, values.T if transpose else values)


def _fix(memory, dst, src, relu) -> None:
    values = src.load(memory)
    if relu:
        values = np.maximum(values, 0)
    if isinstance(dst, GlobalTensor):
        dst.view(memory)[...] = values
    else:
        dst.store(memory, values)


def _dump(memory, tensor, label) -> None:
    memory.dumps.append((label, tensor.core, tensor.load(memory).copy()))
