"""Each operation as the Ascend C calls that say the same; those that have none are refused.

Our own generator, from the public reference that `workbench.aicore.ascend_c.pages` cites. What it
prints is for reading: nobody compiled it here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

from workbench.aicore.ascend_c import moves
from workbench.aicore.ascend_c.expressions import Expressions, refuse
from workbench.aicore.ascend_c.makers import unit_of
from workbench.aicore.ascend_c.values import CPP, Array, Local, Number, number
from workbench.aicore.machine import event_pipes

# operation -> Ascend C call: tensors and a count, or tensors, a number and a count
ELEMENTWISE = {name: name.title() for name in ("add", "sub", "mul", "div", "max", "min")}
ELEMENTWISE |= {name: name.title() for name in ("exp", "ln", "sqrt", "rsqrt", "reciprocal")}
ELEMENTWISE |= {"abs": "Abs", "relu": "Relu"}
WITH_NUMBER = {name: name.title() for name in ("adds", "muls", "maxs", "mins", "axpy")}
REDUCTIONS = {"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax"}
ROWS = {"row_sum": "ReduceSum", "row_max": "ReduceMax"}
# flags between the units of a block: CrossCoreSetFlag calls it mode 2
_BETWEEN_UNITS = "0x2"

Line = tuple[str, str]
"""C++ code, and the call whose page is cited beside it (empty: none)."""


class Calls:
    """Prints the operations of one kernel.

    Attributes
    ----------
    at : Expressions
        Of the function that is being translated.
    works : dict
        Data type of each scratch that a reduction needs, and its name.
    """

    def __init__(self, expressions: Expressions, dtypes: set[str], mixed: bool):
        self.at, self.dtypes, self.mixed = expressions, dtypes, mixed
        self.works: dict[str, str] = {}

    def lines(
        self, name: str, node: ast.Call, value: Callable[[ast.expr, str], Any]
    ) -> Iterator[tuple[str, str, str]]:
        """Yield the lines of one call of an operation, each with what it cites and its unit.

        Parameters
        ----------
        value : callable
            Evaluates an argument, emitting first what it takes to make it.

        Raises
        ------
        AICoreError
            For an operation without a counterpart, with its line.
        """
        values = [value(one, "part") for one in node.args]
        named = {one.arg: value(one.value, one.arg) for one in node.keywords if one.arg}
        special: Callable[..., Iterator[Line]] | None = getattr(self, f"_{name}", None)
        if name in ELEMENTWISE:
            found = self._each(name, ELEMENTWISE[name], values, ())
        elif name in WITH_NUMBER:
            dst, src, scalar = values
            found = self._each(WITH_NUMBER[name], WITH_NUMBER[name], [dst, src], (scalar,))
        elif name in REDUCTIONS or name in ROWS:
            found = self._reduction(node, name, *values)
        elif special is not None:
            found = special(node, *values, **named)
        else:
            raise refuse(node, f"aicore.{name}: this generator has no translation of it", self.at)
        unit = _unit(name, values)
        for code, cited in found:
            yield code, cited, unit

    def _each(self, name: str, call: str, tensors: list, extra: tuple) -> Iterator[Line]:
        """Print a call on all elements: one count, or row by row where there are gaps."""
        dst = tensors[0]
        scalars = "".join(f", static_cast<{CPP[dst.dtype.name]}>({x.code})" for x in extra)
        if all(moves.dense(one) for one in tensors):
            count = dst.shape[0].code
            if len(dst.shape) == 2:
                count = self.at.combine(ast.Mult, dst.shape[0], dst.row).code
            codes = ", ".join(one.code for one in tensors)
            yield f"AscendC::{call}({codes}{scalars}, {count});", name
            return
        yield f"for (int32_t row_i = 0; row_i < {dst.shape[0].code}; ++row_i) {{", ""
        codes = ", ".join(f"{one.code}[row_i * {one.row.code}]" for one in tensors)
        yield f"    AscendC::{call}({codes}{scalars}, {dst.shape[1].code});", name
        yield "}", ""

    def _count(self, tensor: Local) -> str:
        if len(tensor.shape) == 1:
            return tensor.shape[0].code
        return self.at.combine(ast.Mult, tensor.shape[0], tensor.row).code

    def _reduction(self, node, name, dst, src) -> Iterator[Line]:
        if src.dtype.name not in ("float16", "float32"):
            raise refuse(node, f"a reduction of {src.dtype}", self.at)
        work = "work" if src.dtype.name == "float32" else "work_half"
        self.works[src.dtype.name] = work
        if name in REDUCTIONS:
            call = f"{REDUCTIONS[name]}({dst.code}, {src.code}, {work}, {self._count(src)})"
            yield f"AscendC::{call};", REDUCTIONS[name]
            return
        yield f"for (int32_t row_i = 0; row_i < {src.shape[0].code}; ++row_i) {{", ""
        columns = src.shape[1].code
        row = f"{src.code}[row_i * {src.row.code}]"
        yield f"    AscendC::{ROWS[name]}({dst.code}[row_i], {row}, {work}, {columns});", ROWS[name]
        yield "}", ""

    def _duplicate(self, node, dst, scalar) -> Iterator[Line]:
        yield from self._each("Duplicate", "Duplicate", [dst], (scalar,))

    def _cast(self, node, dst, src, mode="RINT") -> Iterator[Line]:
        if src.dtype == dst.dtype:
            why = f"a cast from {src.dtype} to itself, which Cast rounds to whole numbers"
            raise refuse(node, why, self.at)
        mode = "NONE" if src.dtype.itemsize < dst.dtype.itemsize else mode
        cast = f"AscendC::RoundMode::CAST_{mode}"
        if moves.dense(dst) and moves.dense(src):
            yield f"AscendC::Cast({dst.code}, {src.code}, {cast}, {self._count(dst)});", "Cast"
            return
        yield f"for (int32_t row_i = 0; row_i < {dst.shape[0].code}; ++row_i) {{", ""
        ends = f"{dst.code}[row_i * {dst.row.code}], {src.code}[row_i * {src.row.code}]"
        yield f"    AscendC::Cast({ends}, {cast}, {dst.shape[1].code});", "Cast"
        yield "}", ""

    def _compare(self, node, dst, a, b, how) -> Iterator[Line]:
        mode = f"AscendC::CMPMODE::{how}"
        call = f"Compare({dst.code}, {a.code}, {b.code}, {mode}, {self._count(a)})"
        yield f"AscendC::{call};", "Compare"

    def _select(self, node, dst, mask, a, b) -> Iterator[Line]:
        mode = "AscendC::SELMODE::VSEL_TENSOR_TENSOR_MODE"
        tensors = f"{dst.code}, {mask.code}, {a.code}, {b.code}"
        yield f"AscendC::Select({tensors}, {mode}, {self._count(dst)});", "Select"

    def _broadcast(self, node, dst, src) -> Iterator[Line]:
        # whole rows as they lie in UB, padding included: Broadcast knows no gap between rows
        if not moves.dense(dst):
            yield from self._broadcast_rows(node, dst, src)
            return
        rows, columns = (f"static_cast<uint32_t>({one.code})" for one in (dst.shape[0], dst.row))
        one = f"{{1, {columns}}}" if len(src.shape) == 2 else f"{{{rows}, 1}}"
        axis = 0 if len(src.shape) == 2 else 1
        yield "{", ""
        yield f"    const uint32_t to_shape[2] = {{{rows}, {columns}}}, from_shape[2] = {one};", ""
        call = f"AscendC::Broadcast<{CPP[dst.dtype.name]}, 2, {axis}>"
        yield f"    {call}({dst.code}, {src.code}, to_shape, from_shape);", "Broadcast"
        yield "}", ""

    def _broadcast_rows(self, node, dst, src) -> Iterator[Line]:
        """Fill each row by itself; the scalar unit reads the value, so it waits for the Vector."""
        if len(src.shape) == 2:
            raise refuse(node, "a row broadcast into a part of wider rows", self.at)
        yield "AscendC::SetFlag<AscendC::HardEvent::V_S>(EVENT_ID7);", "SetFlag"
        yield "AscendC::WaitFlag<AscendC::HardEvent::V_S>(EVENT_ID7);", "WaitFlag"
        yield f"for (int32_t row_i = 0; row_i < {dst.shape[0].code}; ++row_i) {{", ""
        fill = f"{dst.code}[row_i * {dst.row.code}], {src.code}.GetValue(row_i)"
        yield f"    AscendC::Duplicate({fill}, {dst.shape[1].code});", "Duplicate"
        yield "}", ""

    def _gather(self, node, dst, src, offsets) -> Iterator[Line]:
        tensors = f"{dst.code}, {src.code}, {offsets.code}"
        yield f"AscendC::Gather({tensors}, 0u, {self._count(dst)});", "Gather"

    def _transpose(self, node, dst, src) -> Iterator[Line]:
        """Print a loop over blocks of 16 rows x 32 bytes, which TransDataTo5HD turns."""
        if src.dtype.itemsize not in (2, 4):
            raise refuse(node, f"a transpose of {src.dtype}", self.at)
        across = 32 // src.dtype.itemsize  # elements of a block's row
        turned = "t" if across == 16 else "t / 2"
        half = "" if across == 16 else " + t % 2 * 8"
        down = self.at.rounded(src.shape[0], 16).code
        wide = self.at.rounded(src.shape[1], across).code
        cpp = CPP[src.dtype.name]
        yield f"for (int32_t row_i = 0; row_i < {down}; row_i += 16) {{", ""
        yield f"    for (int32_t column_i = 0; column_i < {wide}; column_i += {across}) {{", ""
        yield f"        AscendC::LocalTensor<{cpp}> turned_to[16], turned_from[16];", ""
        yield "        for (int32_t t = 0; t < 16; ++t) {", ""
        origin = f"{src.code}[(row_i + t) * {src.row.code} + column_i]"
        target = f"{dst.code}[(column_i + {turned}) * {dst.row.code} + row_i{half}]"
        yield f"            turned_from[t] = {origin}; turned_to[t] = {target};", ""
        yield "        }", ""
        yield "        AscendC::TransDataTo5HDParams turn_params(false, false, 1, 0, 0);", ""
        call = f"AscendC::TransDataTo5HD<{cpp}>(turned_to, turned_from, turn_params);"
        yield f"        {call}", "TransDataTo5HD"
        yield "    }", ""
        yield "}", ""

    def _set_value(self, node, dst, index, scalar) -> Iterator[Line]:
        cast = f"static_cast<{CPP[dst.dtype.name]}>({scalar.code})"
        yield f"{dst.code}.SetValue({index.code}, {cast});", "LocalTensor"

    def _dump(self, node, tensor, label="") -> Iterator[Line]:
        yield f"AscendC::DumpTensor({tensor.code}, 0, {self._count(tensor)});", "DumpTensor"

    def _set_flag(self, node, event, event_id=None) -> Iterator[Line]:
        yield _flag("SetFlag", event, event_id), "SetFlag"

    def _wait_flag(self, node, event, event_id=None) -> Iterator[Line]:
        yield _flag("WaitFlag", event, event_id), "WaitFlag"

    def _cross_core_set_flag(self, node, flag_id, pipe) -> Iterator[Line]:
        yield _cross("CrossCoreSetFlag", flag_id, pipe), "CrossCoreSetFlag"

    def _cross_core_wait_flag(self, node, flag_id, pipe) -> Iterator[Line]:
        yield _cross("CrossCoreWaitFlag", flag_id, pipe), "CrossCoreWaitFlag"

    def _pipe_barrier(self, node, pipe="ALL") -> Iterator[Line]:
        yield f"AscendC::PipeBarrier<PIPE_{pipe}>();", "PipeBarrier"

    def _sync_all(self, node) -> Iterator[Line]:
        yield f"AscendC::SyncAll{'<false>' if self.mixed else ''}();", "SyncAll"

    def _set_atomic_add(self, node) -> Iterator[Line]:
        if len(self.dtypes) != 1:
            raise refuse(node, "atomic addition in a kernel of several data types", self.at)
        (dtype,) = self.dtypes
        yield f"AscendC::SetAtomicAdd<{CPP[dtype]}>();", "SetAtomicAdd"

    def _set_atomic_none(self, node) -> Iterator[Line]:
        yield "AscendC::DisableDmaAtomic();", "DisableDmaAtomic"

    def _data_copy(self, node, dst, src) -> Iterator[Line]:
        if isinstance(dst, Local) and dst.buffer == "L1" and isinstance(src, Array):
            yield from moves.nd_to_nz(dst, src)
        elif isinstance(dst, Local) and isinstance(src, Local):
            yield from self._each("DataCopy", "DataCopy", [dst, src], ())
        else:
            yield from moves.copy(self.at, node, dst, src)

    def _data_copy_pad(self, node, dst, src, pad_value=None) -> Iterator[Line]:
        yield from moves.copy(self.at, node, dst, src)

    def _load_data(self, node, dst, src, transpose=None) -> Iterator[Line]:
        yield from moves.load_data(self.at, node, dst, src, bool(transpose and transpose.value))

    def _mmad(self, node, c, a, b, init) -> Iterator[Line]:
        yield from moves.mmad(c, a, b, init)

    def _fixpipe(self, node, dst, src, relu=None) -> Iterator[Line]:
        yield from moves.fixpipe(self.at, node, dst, src, bool(relu and relu.value))


def _unit(name: str, values: list) -> str:
    """Return which unit a call belongs to; empty for what both do."""
    if name in ("load_data", "mmad", "fixpipe"):
        return "AIC"
    if name in ("data_copy", "data_copy_pad"):
        return unit_of(next(one.buffer for one in values if isinstance(one, Local)))
    if name in ("set_flag", "wait_flag"):
        return event_pipes(values[0])[0].partition(".")[0]
    if name.startswith("cross_core"):
        return values[1].partition(".")[0]
    both = ("pipe_barrier", "sync_all", "set_atomic_add", "set_atomic_none")
    return "" if name in both else "AIV"


def _flag(call: str, event: str, event_id: Number | None) -> str:
    which = (event_id or number(0)).code
    return f"AscendC::{call}<AscendC::HardEvent::{event}>({which});"


def _cross(call: str, flag_id: Number, pipe: str) -> str:
    return f"AscendC::{call}<{_BETWEEN_UNITS}, PIPE_{pipe.partition('.')[2]}>({flag_id.code});"
