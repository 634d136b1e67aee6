"""Moving data in Ascend C, and the Cube's calls: rows of UB, L1, L0, multiply, bring out.

A matrix of two-byte elements lies in L1 as NZ. One of float32 is printed as slabs of 16 rows, each
NZ of its own, because LoadDataWithTranspose takes 16 x 16 squares of two blocks that lie one after
the other, which NZ of a taller matrix has not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from workbench.aicore.ascend_c.expressions import Expressions, refuse
from workbench.aicore.ascend_c.values import CPP, Array, Local, Number, combine, number, rounded
from workbench.aicore.operations.layouts import fractal

Line = tuple[str, str]
_QUANTISE = {"float16": "F322F16", "bfloat16": "F322BF16"}


def _whole(value: Number, step: int) -> Number:
    """Return how many blocks of `step` cover a length."""
    return combine(ast.FloorDiv, rounded(value, step), number(step))


def dense(tensor: Local) -> bool:
    """Return whether a tensor's rows follow one another without a gap, padding apart."""
    step = 32 // tensor.dtype.itemsize
    return len(tensor.shape) == 1 or rounded(tensor.shape[1], step) == tensor.row


def copy(at: Expressions, node: ast.AST, dst: Array | Local, src: Array | Local) -> Iterator[Line]:
    """Copy rows between global memory and UB."""
    inside, outside = (dst, src) if isinstance(dst, Local) else (src, dst)
    if (
        not isinstance(inside, Local)
        or not isinstance(outside, Array)
        or outside.strides[-1].value != 1
    ):
        raise refuse(node, "this copy: only rows between global memory and a core", at)
    item, cpp = outside.dtype.itemsize, CPP[outside.dtype.name]
    rows = outside.shape[0] if len(outside.shape) == 2 else number(1)
    length = combine(ast.Mult, outside.shape[-1], number(item))
    gap = apart = number(0)
    if len(outside.shape) == 2:
        gap = combine(
            ast.Mult, combine(ast.Sub, outside.strides[0], outside.shape[1]), number(item)
        )
        if not dense(inside):  # rows of UB that are wider than what is copied
            held = rounded(inside.shape[1], 32 // item)
            apart = combine(ast.FloorDiv, combine(ast.Sub, inside.row, held), number(32 // item))
    gm = f"{outside.name}[{outside.offset.code}]"
    far, near = (f"static_cast<uint32_t>({one.code})" for one in (gap, apart))
    ends = f"{far}, {near}" if inside is dst else f"{near}, {far}"
    size = f"static_cast<uint16_t>({rows.code}), static_cast<uint32_t>({length.code})"
    params = f"AscendC::DataCopyExtParams{{{size}, {ends}, 0}}"
    if inside is dst:
        pad = f"AscendC::DataCopyPadExtParams<{cpp}>{{false, 0, 0, 0}}"
        yield f"AscendC::DataCopyPad({inside.code}, {gm}, {params}, {pad});", "DataCopyPad"
    else:
        yield f"AscendC::DataCopyPad({gm}, {inside.code}, {params});", "DataCopyPad"


def nd_to_nz(dst: Local, src: Array) -> Iterator[Line]:
    """Copy a row-major matrix into L1."""
    gm = f"{src.name}[{src.offset.code}]"
    rows, columns = (one.code for one in src.shape)
    stride = f"static_cast<uint16_t>({src.strides[0].code})"
    if dst.dtype.itemsize != 4:
        height = rounded(dst.whole[0], 16).code
        lengths = (rows, columns, "0", src.strides[0].code, height)
        fields = ", ".join(f"static_cast<uint16_t>({one})" for one in lengths)
        params = f"AscendC::Nd2NzParams{{1, {fields}, 1, 0}}"
        yield f"AscendC::DataCopy({dst.code}, {gm}, {params});", "DataCopy"
        return
    wide = rounded(dst.whole[1], 16).code
    yield f"for (int32_t slab_i = 0; slab_i < {_whole(src.shape[0], 16).code}; ++slab_i) {{", ""
    high = f"static_cast<uint16_t>(MinOf(16, {rows} - slab_i * 16))"
    fields = f"{high}, static_cast<uint16_t>({columns}), 0, {stride}, 16"
    ends = f"{dst.code}[slab_i * 16 * {wide}], {gm[:-1]} + slab_i * 16 * {src.strides[0].code}]"
    yield f"    AscendC::DataCopy({ends}, AscendC::Nd2NzParams{{1, {fields}, 1, 0}});", "DataCopy"
    yield "}", ""


def load_data(
    at: Expressions, node: ast.AST, dst: Local, src: Local, turned: bool
) -> Iterator[Line]:
    """Bring a part of L1 into L0A or L0B."""
    if dst.dtype.itemsize == 4:
        yield from _load_slabs(at, node, dst, src, turned)
        return
    if dst.dtype.itemsize != 2:
        why = (
            f"load_data of {dst.dtype}: its page [0239] turns 32 x 32, which NZ here does not hold"
        )
        raise refuse(node, why, at)
    blocks_below = _whole(src.whole[0], 16).code
    flip = (dst.buffer == "L0B") != turned
    down, wide = (_whole(one, 16).code for one in dst.shape)
    # one call lays out a row of blocks of L0; its blocks lie `srcStride` apart in L1
    start, stride = ("block_i", blocks_below) if not turned else (f"block_i * {blocks_below}", "1")
    yield f"for (int32_t block_i = 0; block_i < {down}; ++block_i) {{", ""
    ends = f"{dst.code}[block_i * {wide} * 256], {src.code}[{start} * 256]"
    yield f"    AscendC::LoadData({ends}, {_load(wide, stride, flip)});", "LoadData"
    yield "}", ""


def _load(repeats: str, stride: str, flip: bool) -> str:
    fields = f"0, static_cast<uint8_t>({repeats}), static_cast<uint16_t>({stride}), 0, 0, "
    return f"AscendC::LoadData2DParams{{{fields}{'true' if flip else 'false'}, 0}}"


def _load_slabs(
    at: Expressions, node: ast.AST, dst: Local, src: Local, turned: bool
) -> Iterator[Line]:
    slab = f"16 * {rounded(src.whole[1], 16).code}"  # elements of 16 rows in L1
    if dst.buffer == "L0A":
        if turned:
            raise refuse(node, "load_data of float32 into L0A transposed: no call turns it so", at)
        down, wide = _whole(dst.shape[0], 16).code, _whole(dst.shape[1], 8).code
        ends = f"{dst.code}[block_i * {wide} * 128], {src.code}[block_i * {slab}]"
        call, name = f"LoadData({ends}, {_load(wide, '1', False)})", "LoadData"
    elif turned:  # rows of L1 are columns of L0B: its blocks are the same, one slab after the other
        down, wide = _whole(dst.shape[0], 8).code, _whole(dst.shape[1], 16).code
        ends = f"{dst.code}[block_i * {wide} * 128], {src.code}[block_i * 128]"
        call, name = f"LoadData({ends}, {_load(wide, f'{slab} / 128', False)})", "LoadData"
    else:
        down, wide = _whole(dst.shape[0], 16).code, _whole(dst.shape[1], 16).code
        ends = f"{dst.code}[block_i * 2 * {wide} * 128], {src.code}[block_i * {slab}]"
        fields = f"0, static_cast<uint8_t>({wide}), 1, 0, static_cast<uint16_t>({wide} - 1)"
        params = f"AscendC::LoadData2dTransposeParams{{{fields}}}"
        call, name = f"LoadDataWithTranspose({ends}, {params})", "LoadDataWithTranspose"
    yield f"for (int32_t block_i = 0; block_i < {down}; ++block_i) {{", ""
    yield f"    AscendC::{call};", name
    yield "}", ""


def mmad(c: Local, a: Local, b: Local, init: Number) -> Iterator[Line]:
    """Multiply two tiles of L0."""
    yield "{", ""
    yield "    AscendC::MmadParams mmad_params;", ""
    sizes = zip("mkn", (a.shape[0], a.shape[1], b.shape[1]), strict=True)
    yield "    " + " ".join(f"mmad_params.{name} = {one.code};" for name, one in sizes), ""
    yield f"    mmad_params.cmatrixInitVal = {init.code};", ""
    yield f"    AscendC::Mmad({c.code}, {a.code}, {b.code}, mmad_params);", "Mmad"
    yield "}", ""


def fixpipe(at: Expressions, node: ast.AST, dst: Array, src: Local, relu: bool) -> Iterator[Line]:
    """Bring the accumulator out to global memory, cast where the destination is narrower."""
    quantised = _QUANTISE.get(dst.dtype.name)
    if not isinstance(dst, Array) or (dst.dtype != src.dtype and quantised is None):
        raise refuse(node, "this fixpipe: only to global memory, as it is or as 16-bit floats", at)
    rows, columns = (one.code for one in src.shape)
    height = rounded(src.shape[0], fractal("zN", src.dtype.itemsize).rows).code
    yield "{", ""
    yield "    AscendC::FixpipeParamsV220 fix_params;", ""
    yield f"    fix_params.mSize = {rows}; fix_params.nSize = {columns};", ""
    strides = f"fix_params.srcStride = {height}; fix_params.dstStride = {dst.strides[0].code};"
    yield f"    {strides}", ""
    if dst.dtype != src.dtype:
        yield f"    fix_params.quantPre = QuantMode_t::{quantised};", ""
    yield f"    fix_params.reluEn = {'true' if relu else 'false'};", ""
    types = f"{CPP[dst.dtype.name]}, {CPP[src.dtype.name]}"
    call = f"AscendC::Fixpipe<{types}, AscendC::CFG_ROW_MAJOR>"
    yield f"    {call}({dst.name}[{dst.offset.code}], {src.code}, fix_params);", "Fixpipe"
    yield "}", ""
