"""What gives a kernel memory and work: queues, scratch, allocate and dequeue, a block's share."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from workbench.aicore.ascend_c.expressions import Expressions, refuse
from workbench.aicore.ascend_c.text import Lines
from workbench.aicore.ascend_c.values import CPP, Local, Number, Que, number
from workbench.aicore.machine import POSITIONS
from workbench.aicore.operations.queues import default_layout
from workbench.aicore.operations.regions import as_dtype

_POSITION_OF = {"UB": "VECCALC", "L1": "A1", "L0A": "A2", "L0B": "B2", "L0C": "CO1"}


def unit_of(buffer: str) -> str:
    """Return the unit that a buffer belongs to."""
    return "AIV" if buffer == "UB" else "AIC"


class Makers:
    """Prints the calls that make or take something and returns what they stand for."""

    def __init__(self, lines: Lines, value: Callable[[ast.expr, str], Any]):
        self.lines, self.value = lines, value
        self.at: Expressions

    def make(self, call: ast.Call, name: str, at: Expressions) -> Any:
        """Return what the call makes, or None where it makes nothing of the kind."""
        self.at = at
        made = at.operation(call)
        if made == "share":
            return self._share(call, name)
        if made == "Queue":
            return self._queue(call, name)
        if made == "scratch":
            return self._scratch(call, name)
        if isinstance(call.func, ast.Attribute) and call.func.attr in ("allocate", "dequeue"):
            queue = at.of(call.func.value)
            if isinstance(queue, Que):
                return self._take(call, name, queue)
        return None

    def _share(self, call: ast.Call, name: str) -> tuple[Number, Number]:
        begin = self.lines.fresh(name.strip("()").partition(",")[0].strip() or "begin")
        length = self.at.whole(call.args[0]).code
        step = self.at.whole(call.args[1]).code if len(call.args) > 1 else "1"
        blocks = "static_cast<int32_t>(AscendC::GetBlockNum())"
        each = self.lines.fresh(f"{begin}_each")
        code = f"({length} + {blocks} * {step} - 1) / ({blocks} * {step}) * {step}"
        self.lines.emit(f"const int32_t {each} = {code};", "GetBlockNum")
        mine = f"{self.at.block().code} * {each}"
        return Number(f"MinOf({mine}, {length})"), Number(f"MinOf({mine} + {each}, {length})")

    def _shape(self, node: ast.expr) -> tuple[Number, ...]:
        found = self.at.of(node)
        return found if isinstance(found, tuple) else (found,)

    def _arguments(self, call: ast.Call, names: tuple[str, ...]) -> dict[str, ast.expr]:
        given = dict(zip(names, call.args, strict=False))
        return given | {one.arg: one.value for one in call.keywords if one.arg}

    def _queue(self, call: ast.Call, name: str) -> Que:
        given = self._arguments(call, ("position", "shape", "dtype", "depth", "name"))
        position = self.at.of(given["position"])
        shape, dtype = self._shape(given["shape"]), as_dtype(self.at.of(given["dtype"]))
        count = self.at.whole(given["depth"]).code if "depth" in given else "2"
        buffer, name = POSITIONS[position].buffer, self.lines.fresh(name)
        declared = f"AscendC::TQue<AscendC::TPosition::{position}, {count}> {name};"
        self.lines.emit(declared, "TQue")
        nbytes = self._bytes(buffer, shape, dtype)
        self.lines.emit(f"pipe.InitBuffer({name}, {count}, {nbytes});", "TPipe", unit_of(buffer))
        return Que(name, dtype, buffer, shape)

    def _scratch(self, call: ast.Call, name: str) -> Local:
        given = self._arguments(call, ("buffer", "shape", "dtype", "layout", "name"))
        buffer = self.at.of(given["buffer"])
        shape, dtype = self._shape(given["shape"]), as_dtype(self.at.of(given["dtype"]))
        name, cpp, unit = self.lines.fresh(name), CPP[dtype.name], unit_of(buffer)
        self.lines.emit(
            f"AscendC::TBuf<AscendC::TPosition::{_POSITION_OF[buffer]}> {name}_buf;", "TBuf"
        )
        nbytes = self._bytes(buffer, shape, dtype)
        self.lines.emit(f"pipe.InitBuffer({name}_buf, {nbytes});", "TPipe", unit)
        declared = self.lines.declare(f"AscendC::LocalTensor<{cpp}>", name)
        self.lines.emit(f"{declared}{name} = {name}_buf.Get<{cpp}>();", "TBuf", unit)
        return self._local(name, Que(name, dtype, buffer, shape), shape)

    def _take(self, call: ast.Call, name: str, queue: Que) -> Local:
        verb = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        method = "AllocTensor" if verb == "allocate" else "DeQue"
        cpp = CPP[queue.dtype.name]
        old = self.at.names.get(name)
        again = False
        if isinstance(old, Local) and old.code == self.at.variables.get(name):
            again = True
            if old.dtype != queue.dtype:
                raise refuse(call, f"{name} becoming a tensor of another data type", self.at)
        variable = self.at.variables[name] if again else self.lines.fresh(name)
        self.at.variables[name] = variable
        kind = f"AscendC::LocalTensor<{cpp}>"
        known = again and self.lines.known(variable)
        declared = "" if known else self.lines.declare(kind, variable)
        unit = unit_of(queue.buffer)
        self.lines.emit(f"{declared}{variable} = {queue.name}.{method}<{cpp}>();", method, unit)
        if verb == "allocate":
            queue.shapes[:] = [self._shape(call.args[0]) if call.args else queue.shape]
        shape = queue.shapes[-1] if queue.shapes else queue.shape
        return self._local(variable, queue, shape)

    def _local(self, name: str, queue: Que, shape: tuple[Number, ...]) -> Local:
        row = self.at.rounded(shape[-1], 32 // queue.dtype.itemsize)
        layout = default_layout(queue.buffer, tuple(range(len(shape))))
        return Local(name, queue.dtype, queue.buffer, shape, shape, layout, row)

    def _bytes(self, buffer: str, shape: tuple[Number, ...], dtype: Any) -> str:
        size = number(dtype.itemsize)
        for axis, one in enumerate(shape):
            step = max(16, 32 // dtype.itemsize) if buffer != "UB" else 32 // dtype.itemsize
            last = axis == len(shape) - 1
            length = self.at.rounded(one, step) if buffer != "UB" or last else one
            size = self.at.combine(ast.Mult, size, length)
        return size.code
