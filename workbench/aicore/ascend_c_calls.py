"""Each operation as the Ascend C calls that say the same; those that have none are refused.

Our own generator, from the public reference that `workbench.aicore.ascend_c_pages` cites. What it
prints is for reading: nobody compiled it here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from workbench.aicore.ascend_c_expressions import (
    CPP,
    Array,
    Expressions,
    Local,
    Number,
    number,
    refuse,
)
from workbench.aicore.ascend_c_pages import PAGES
from workbench.aicore.layouts import fractal

# operation -> Ascend C call: tensors and a count, or tensors, a number and a count
ELEMENTWISE = {name: name.title() for name in ("add", "sub", "mul", "div", "max", "min")}
ELEMENTWISE |= {name: name.title() for name in ("exp", "ln", "sqrt", "rsqrt", "reciprocal")}
ELEMENTWISE |= {"abs": "Abs", "relu": "Relu"}
WITH_NUMBER = {name: name.title() for name in ("adds", "muls", "maxs", "mins", "axpy")}
REDUCTIONS = {"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax"}
ROWS = {"row_sum": "ReduceSum", "row_max": "ReduceMax"}
_DIVIDED = "its page [{}] wants code divided between Cube and Vector cores, which is not generated"
# what Ascend C says otherwise, or what would take more than a line
UNTRANSLATED = {
    "transpose": "it has no one counterpart: the basic Transpose of Ascend C takes 16 x 16",
    "cross_core_set_flag": _DIVIDED.format(PAGES["CrossCoreSetFlag"]),
    "cross_core_wait_flag": _DIVIDED.format(PAGES["CrossCoreWaitFlag"]),
}

Line = tuple[str, str]
"""C++ code, and the call whose page is cited beside it (empty: none)."""


class Calls:
    """Prints the operations of one kernel."""

    def __init__(self, expressions: Expressions, dtypes: set[str]):
        self.of, self.at, self.dtypes = expressions.of, expressions, dtypes
        self.needs_work = False

    def lines(self, name: str, node: ast.Call) -> Iterator[Line]:
        """Yield the lines of one call of an operation of `workbench.aicore`.

        Raises
        ------
        AICoreError
            For an operation without a counterpart, with its line.
        """
        values = [self.of(one) for one in node.args]
        named = {one.arg: self.of(one.value) for one in node.keywords if one.arg}
        special: Callable[..., Iterator[Line]] | None = getattr(self, f"_{name}", None)
        if name in ELEMENTWISE:
            tensors = ", ".join(one.code for one in values)
            yield f"AscendC::{ELEMENTWISE[name]}({tensors}, {self._count(values[0])});", name
        elif name in WITH_NUMBER:
            dst, src, scalar = values
            cast = f"static_cast<{CPP[dst.dtype.name]}>({scalar.code})"
            call = f"{WITH_NUMBER[name]}({dst.code}, {src.code}, {cast}, {self._count(dst)})"
            yield f"AscendC::{call};", WITH_NUMBER[name]
        elif name in REDUCTIONS or name in ROWS:
            yield from self._reduction(node, name, *values)
        elif special is not None:
            yield from special(node, *values, **named)
        else:
            why = UNTRANSLATED.get(name, "this generator has no translation of it")
            raise refuse(node, f"aicore.{name}: {why}", self.at)

    def _count(self, tensor: Local) -> str:
        if len(tensor.shape) == 1:
            return tensor.shape[0].code
        return self.at.combine(ast.Mult, tensor.shape[0], tensor.row).code

    def _reduction(self, node, name, dst, src) -> Iterator[Line]:
        self.needs_work = True
        if src.dtype.name != "float32":
            raise refuse(node, f"a reduction of {src.dtype}: its scratch is float here", self.at)
        if name in REDUCTIONS:
            call = f"{REDUCTIONS[name]}({dst.code}, {src.code}, work, {self._count(src)})"
            yield f"AscendC::{call};", REDUCTIONS[name]
            return
        yield f"for (int32_t row_i = 0; row_i < {src.shape[0].code}; ++row_i) {{", ""
        columns = src.shape[1].code
        row = f"{src.code}[row_i * {src.row.code}]"
        yield f"    AscendC::{ROWS[name]}({dst.code}[row_i], {row}, work, {columns});", ROWS[name]
        yield "}", ""

    def _duplicate(self, node, dst, scalar) -> Iterator[Line]:
        cast = f"static_cast<{CPP[dst.dtype.name]}>({scalar.code})"
        yield f"AscendC::Duplicate({dst.code}, {cast}, {self._count(dst)});", "Duplicate"

    def _cast(self, node, dst, src, mode="RINT") -> Iterator[Line]:
        round_mode = f"AscendC::RoundMode::CAST_{mode}"
        yield f"AscendC::Cast({dst.code}, {src.code}, {round_mode}, {self._count(dst)});", "Cast"

    def _compare(self, node, dst, a, b, how) -> Iterator[Line]:
        mode = f"AscendC::CMPMODE::{how}"
        yield (
            f"AscendC::Compare({dst.code}, {a.code}, {b.code}, {mode}, {self._count(a)});",
            ("Compare"),
        )

    def _select(self, node, dst, mask, a, b) -> Iterator[Line]:
        mode = "AscendC::SELMODE::VSEL_TENSOR_TENSOR_MODE"
        tensors = f"{dst.code}, {mask.code}, {a.code}, {b.code}"
        yield f"AscendC::Select({tensors}, {mode}, {self._count(dst)});", "Select"

    def _broadcast(self, node, dst, src) -> Iterator[Line]:
        # whole rows as they lie in UB, padding included: Broadcast knows no gap between rows
        rows, columns = (f"static_cast<uint32_t>({one.code})" for one in (dst.shape[0], dst.row))
        one = f"{{1, {columns}}}" if len(src.shape) == 2 else f"{{{rows}, 1}}"
        axis = 0 if len(src.shape) == 2 else 1
        yield "{", ""
        yield f"    const uint32_t to_shape[2] = {{{rows}, {columns}}}, from_shape[2] = {one};", ""
        call = f"AscendC::Broadcast<{CPP[dst.dtype.name]}, 2, {axis}>"
        yield f"    {call}({dst.code}, {src.code}, to_shape, from_shape);", "Broadcast"
        yield "}", ""

    def _gather(self, node, dst, src, offsets) -> Iterator[Line]:
        tensors = f"{dst.code}, {src.code}, {offsets.code}"
        yield f"AscendC::Gather({tensors}, 0u, {self._count(dst)});", "Gather"

    def _set_value(self, node, dst, index, scalar) -> Iterator[Line]:
        cast = f"static_cast<{CPP[dst.dtype.name]}>({scalar.code})"
        yield f"{dst.code}.SetValue({index.code}, {cast});", "LocalTensor"

    def _dump(self, node, tensor, label="") -> Iterator[Line]:
        yield f"AscendC::DumpTensor({tensor.code}, 0, {self._count(tensor)});", "DumpTensor"

    def _set_flag(self, node, event, event_id=None) -> Iterator[Line]:
        yield self._flag("SetFlag", event, event_id), "SetFlag"

    def _wait_flag(self, node, event, event_id=None) -> Iterator[Line]:
        yield self._flag("WaitFlag", event, event_id), "WaitFlag"

    def _flag(self, call: str, event: str, event_id: Number | None) -> str:
        which = (event_id or number(0)).code
        return f"AscendC::{call}<AscendC::HardEvent::{event}>({which});"

    def _pipe_barrier(self, node, pipe="ALL") -> Iterator[Line]:
        yield f"AscendC::PipeBarrier<PIPE_{pipe}>();", "PipeBarrier"

    def _sync_all(self, node) -> Iterator[Line]:
        yield "AscendC::SyncAll();", "SyncAll"

    def _set_atomic_add(self, node) -> Iterator[Line]:
        if len(self.dtypes) != 1:
            raise refuse(node, "atomic addition in a kernel of several data types", self.at)
        (dtype,) = self.dtypes
        yield f"AscendC::SetAtomicAdd<{CPP[dtype]}>();", "SetAtomicAdd"

    def _set_atomic_none(self, node) -> Iterator[Line]:
        yield "AscendC::DisableDmaAtomic();", "DisableDmaAtomic"

    def _data_copy(self, node, dst, src) -> Iterator[Line]:
        if isinstance(dst, Local) and dst.buffer == "L1" and isinstance(src, Array):
            yield from self._nd_to_nz(dst, src)
            return
        yield from self._data_copy_pad(node, dst, src)

    def _data_copy_pad(self, node, dst, src, pad_value=None) -> Iterator[Line]:
        inside, outside = (dst, src) if isinstance(dst, Local) else (src, dst)
        if not isinstance(outside, Array) or outside.strides[-1].value != 1:
            raise refuse(node, "this copy: only rows between global memory and a core", self.at)
        item = outside.dtype.itemsize
        rows = outside.shape[0] if len(outside.shape) == 2 else number(1)
        length = self.at.combine(ast.Mult, outside.shape[-1], number(item))
        gap = number(0)
        if len(outside.shape) == 2:
            more = self.at.combine(ast.Sub, outside.strides[0], outside.shape[1])
            gap = self.at.combine(ast.Mult, more, number(item))
        gm = f"{outside.name}[{outside.offset.code}]"
        cpp = CPP[outside.dtype.name]
        params = f"AscendC::DataCopyExtParams{{static_cast<uint16_t>({rows.code}), "
        params += f"static_cast<uint32_t>({length.code}), "
        if inside is dst:
            params += f"static_cast<uint32_t>({gap.code}), 0, 0}}"
            pad = f"AscendC::DataCopyPadExtParams<{cpp}>{{false, 0, 0, 0}}"
            yield f"AscendC::DataCopyPad({dst.code}, {gm}, {params}, {pad});", "DataCopyPad"
        else:
            params += f"0, static_cast<uint32_t>({gap.code}), 0}}"
            yield f"AscendC::DataCopyPad({gm}, {src.code}, {params});", "DataCopyPad"

    def _nd_to_nz(self, dst, src) -> Iterator[Line]:
        rows, columns = (one.code for one in src.shape)
        height = self.at.rounded(dst.whole[0], 16).code
        lengths = (rows, columns, "0", src.strides[0].code, height)
        fields = ", ".join(f"static_cast<uint16_t>({one})" for one in lengths)
        params = f"AscendC::Nd2NzParams{{1, {fields}, 1, 0}}"
        gm = f"{src.name}[{src.offset.code}]"
        yield f"AscendC::DataCopy({dst.code}, {gm}, {params});", "DataCopy"

    def _load_data(self, node, dst, src, transpose=None) -> Iterator[Line]:
        turned = bool(transpose and transpose.value)
        if dst.dtype.itemsize != 2:
            raise refuse(
                node, f"load_data of {dst.dtype}: only 16-bit fractals are square", self.at
            )
        height = self.at.rounded(src.whole[0], 16)
        blocks_below = self.at.combine(ast.FloorDiv, height, number(16)).code
        flip = (dst.buffer == "L0B") != turned
        down = self.at.combine(ast.FloorDiv, self.at.rounded(dst.shape[0], 16), number(16)).code
        wide = self.at.combine(ast.FloorDiv, self.at.rounded(dst.shape[1], 16), number(16)).code
        # one call lays out a row of blocks of L0; its blocks lie `srcStride` apart in L1
        start, stride = (
            ("block_i", blocks_below) if not turned else (f"block_i * {blocks_below}", "1")
        )
        fields = f"0, static_cast<uint8_t>({wide}), static_cast<uint16_t>({stride}), 0, 0, "
        fields += f"{'true' if flip else 'false'}, 0"
        yield f"for (int32_t block_i = 0; block_i < {down}; ++block_i) {{", ""
        ends = f"{dst.code}[block_i * {wide} * 256], {src.code}[{start} * 256]"
        yield f"    AscendC::LoadData({ends}, AscendC::LoadData2DParams{{{fields}}});", "LoadData"
        yield "}", ""

    def _mmad(self, node, c, a, b, init) -> Iterator[Line]:
        yield "{", ""
        yield "    AscendC::MmadParams mmad_params;", ""
        sizes = zip("mkn", (a.shape[0], a.shape[1], b.shape[1]), strict=True)
        yield "    " + " ".join(f"mmad_params.{name} = {one.code};" for name, one in sizes), ""
        yield f"    mmad_params.cmatrixInitVal = {init.code};", ""
        yield f"    AscendC::Mmad({c.code}, {a.code}, {b.code}, mmad_params);", "Mmad"
        yield "}", ""

    def _fixpipe(self, node, dst, src, relu=None) -> Iterator[Line]:
        if not isinstance(dst, Array) or dst.dtype != src.dtype:
            raise refuse(node, "this fixpipe: only to global memory, without a cast", self.at)
        rows, columns = (one.code for one in src.shape)
        block = fractal("zN", src.dtype.itemsize)
        yield "{", ""
        yield "    AscendC::FixpipeParamsV220 fix_params;", ""
        yield f"    fix_params.mSize = {rows}; fix_params.nSize = {columns};", ""
        height = self.at.rounded(src.shape[0], block.rows).code
        yield (
            f"    fix_params.srcStride = {height}; fix_params.dstStride = {dst.strides[0].code};",
            "",
        )
        yield f"    fix_params.reluEn = {'true' if relu and relu.value else 'false'};", ""
        cpp = CPP[dst.dtype.name]
        call = f"AscendC::Fixpipe<{cpp}, {cpp}, AscendC::CFG_ROW_MAJOR>"
        gm = f"{dst.name}[{dst.offset.code}]"
        yield f"    {call}({gm}, {src.code}, fix_params);", "Fixpipe"
        yield "}", ""
