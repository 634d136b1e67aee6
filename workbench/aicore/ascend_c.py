"""A kernel as Ascend C source, to read: what the same program looks like in the vendor's language.

The kernel's Python is translated statement by statement, for the shapes and dtypes of the
arguments given. The result is marked as generated and not compiled; each call cites its public
documentation page. An operation without a counterpart raises, and nothing is left out silently.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.aicore.arguments import Shape, Workspace
from workbench.aicore.ascend_c_calls import Calls
from workbench.aicore.ascend_c_expressions import (
    CPP,
    Array,
    Expressions,
    Local,
    Number,
    Que,
    number,
    refuse,
)
from workbench.aicore.ascend_c_pages import PAGES
from workbench.aicore.ascend_c_text import entry_of, with_head
from workbench.aicore.machine import POSITIONS
from workbench.aicore.queues import default_layout
from workbench.aicore.regions import as_dtype
from workbench.aicore.run import Kernel
from workbench.errors import InputError

_POSITION_OF = {"UB": "VECCALC", "L1": "A1", "L0A": "A2", "L0B": "B2", "L0C": "CO1"}
# what stands inside other lines, and the page that describes it
_IMPLIED = (
    ("GetBlockIdx", "GetBlockIdx"),
    ("GetBlockNum", "GetBlockNum"),
    ("InitBuffer", "TPipe"),
    (".Get<", "TBuf"),
)
_METHODS = {"enqueue": "EnQue", "free": "FreeTensor"}


def to_ascend_c(kernel: Kernel, args: Sequence[Any]) -> str:
    """Return a kernel as Ascend C source for these arguments' shapes and dtypes.

    Parameters
    ----------
    kernel : Kernel
    args : sequence
        As for a launch; only shapes and dtypes count, and plain numbers, which become constants.

    Raises
    ------
    AICoreError
        With the line, for Python or an operation that has no counterpart.
    """
    if not isinstance(kernel, Kernel):
        raise InputError("This is not a kernel.", repr(kernel), "mark the function @aicore.kernel")
    return _Translation(kernel, args).text()


class _Translation:
    """One kernel on its way into C++."""

    def __init__(self, kernel: Kernel, args: Sequence[Any]):
        self.function = kernel.function
        source, first = inspect.getsourcelines(self.function)
        tree = ast.parse(textwrap.dedent("".join(source))).body[0]
        if not isinstance(tree, ast.FunctionDef):
            raise InputError("Only a function can be translated.", repr(self.function))
        self.tree, self.lines, self.depth = tree, [], 1
        self.scopes: list[set[str]] = [set()]
        self.parameters: list[Array] = []
        names = self._globals() | self._arguments(args)
        self.at = Expressions(
            self.function.__name__, inspect.getsourcefile(self.function) or "", first, names
        )
        self.calls = Calls(self.at, {one.dtype.name for one in self.parameters})
        stores = (n for n in ast.walk(tree) if isinstance(n, ast.Name))
        self.assigned = Counter(n.id for n in stores if isinstance(n.ctx, ast.Store))

    def text(self) -> str:
        """Return the whole file."""
        self._block(self.tree.body)
        body, self.lines = self.lines, []
        entry = entry_of(self.function.__name__, self.parameters, self.calls.needs_work)
        return "\n".join(with_head([*entry, *body, "}", ""]))

    def _globals(self) -> dict[str, Any]:
        closure = inspect.getclosurevars(self.function)
        found = {**closure.globals, **closure.nonlocals}
        return {k: number(v) for k, v in found.items() if isinstance(v, (bool, int, float))}

    def _arguments(self, args: Sequence[Any]) -> dict[str, Any]:
        names = [one.arg for one in self.tree.args.args]
        if len(names) != len(args):
            raise InputError(
                "The arguments do not fit the kernel.",
                f"{len(args)} for {', '.join(names)}",
                "give one value for each parameter",
            )
        found: dict[str, Any] = {}
        for name, value in zip(names, args, strict=True):
            if isinstance(value, (np.ndarray, Shape, Workspace)):
                shape = tuple(number(int(n)) for n in value.shape)
                strides, step = [], 1
                for one in reversed(shape):
                    strides.insert(0, number(step))
                    step *= int(one.value or 0)
                array = Array(name, as_dtype(value.dtype), shape, tuple(strides), number(0))
                self.parameters.append(array)
                found[name] = array
            else:
                plain = value.item() if isinstance(value, np.generic) else value
                found[name] = number(plain)
        return found

    def _emit(self, code: str, call: str = "") -> None:
        call = call if call in PAGES else call.title()
        calls = [call] if call in PAGES else [name for sign, name in _IMPLIED if sign in code]
        cited = "  // " + "".join(f"[{PAGES[one]}]" for one in calls) if calls else ""
        self.lines.append("    " * self.depth + code + cited)

    def _block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            method = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if method is None:
                raise refuse(statement, f"this {type(statement).__name__}", self.at)
            method(statement)

    def _inner(self, head: str, body: list[ast.stmt]) -> None:
        self._emit(head)
        self.depth += 1
        self.scopes.append(set())
        self._block(body)
        self.scopes.pop()
        self.depth -= 1

    def _for(self, node: ast.For) -> None:
        call = node.iter
        if (
            not isinstance(call, ast.Call)
            or ast.unparse(call.func) != "range"
            or not isinstance(node.target, ast.Name)
            or node.orelse
        ):
            raise refuse(node.iter, "a loop over anything but range", self.at)
        bounds = [self.at.whole(one) for one in call.args]
        start, stop = (number(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) == 3 else number(1)
        name = node.target.id
        self.at.names[name] = Number(name)
        head = f"for (int32_t {name} = {start.code}; {name} < {stop.code}; {name} += {step.code})"
        self._inner(f"{head} {{", node.body)
        self._emit("}")

    def _if(self, node: ast.If) -> None:
        self._inner(f"if ({self.at.whole(node.test).code}) {{", node.body)
        if node.orelse:
            self._inner("} else {", node.orelse)
        self._emit("}")

    def _pass(self, _node: ast.Pass) -> None:
        return

    def _expr(self, node: ast.Expr) -> None:
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            raise refuse(node, "this statement", self.at)
        owner, name = ast.unparse(call.func.value), call.func.attr
        if owner == "aicore":
            for code, cited in self.calls.lines(name, call):
                self._emit(code, cited)
            return
        queue = self.at.of(call.func.value)
        if not isinstance(queue, Que) or name not in _METHODS:
            raise refuse(node, f"the call {owner}.{name}", self.at)
        tensor = self.at.of(call.args[0])
        self._emit(f"{queue.name}.{_METHODS[name]}({tensor.code});", _METHODS[name])

    def _assign(self, node: ast.Assign) -> None:
        target, value = node.targets[0], node.value
        if isinstance(value, ast.Call) and self._made(target, value):
            return
        if isinstance(target, ast.Tuple):
            found = self.at.of(value)
            for one, part in zip(target.elts, found, strict=True):
                self._number(ast.unparse(one), part)
        else:
            self._number(ast.unparse(target), self.at.of(value))

    def _made(self, target: ast.expr, call: ast.Call) -> bool:
        """Translate an assignment whose right side makes or takes something; say whether it was."""
        name = ast.unparse(call.func)
        if name == "aicore.share":
            self._share(target, call)
        elif name == "aicore.Queue":
            self._queue(ast.unparse(target), call)
        elif name == "aicore.scratch":
            self._scratch(ast.unparse(target), call)
        elif name.endswith((".allocate", ".dequeue")):
            self._take(ast.unparse(target), call)
        else:
            return False
        return True

    def _number(self, name: str, found: Any) -> None:
        if not isinstance(found, Number):
            self.at.names[name] = found
            return
        constant = found.value is not None and self.assigned[name] == 1
        known = any(name in scope for scope in self.scopes)
        declared = "" if known else f"const {found.kind} " if constant else f"{found.kind} "
        self._emit(f"{declared}{name} = {found.code};")
        self.scopes[-1].add(name)
        self.at.names[name] = Number(name, found.value if constant else None, found.kind)

    def _share(self, target: ast.expr, call: ast.Call) -> None:
        if not isinstance(target, ast.Tuple):
            raise refuse(call, "share into one name", self.at)
        begin, end = (ast.unparse(one) for one in target.elts)
        length = self.at.whole(call.args[0]).code
        step = self.at.whole(call.args[1]).code if len(call.args) > 1 else "1"
        blocks = "static_cast<int32_t>(AscendC::GetBlockNum())"
        each = f"{begin}_each"
        code = f"({length} + {blocks} * {step} - 1) / ({blocks} * {step}) * {step}"
        self._emit(f"const int32_t {each} = {code};", "GetBlockNum")
        mine = f"static_cast<int32_t>(AscendC::GetBlockIdx()) * {each}"
        self._emit(f"const int32_t {begin} = MinOf({mine}, {length});", "GetBlockIdx")
        self._emit(f"const int32_t {end} = MinOf({begin} + {each}, {length});")
        for name in (begin, end):
            self.scopes[-1].add(name)
            self.at.names[name] = Number(name)

    def _shape(self, node: ast.expr) -> tuple[Number, ...]:
        found = self.at.of(node)
        return found if isinstance(found, tuple) else (found,)

    def _dtype(self, node: ast.expr) -> Any:
        return as_dtype(self.at.of(node))

    def _queue(self, name: str, call: ast.Call) -> None:
        named = {one.arg: one.value for one in call.keywords}
        position = self.at.of(call.args[0])
        shape, dtype = self._shape(call.args[1]), self._dtype(call.args[2])
        depth = named.get("depth") or (call.args[3] if len(call.args) > 3 else None)
        count = self.at.whole(depth).code if depth is not None else "2"
        buffer = POSITIONS[position].buffer
        self._emit(f"AscendC::TQue<AscendC::TPosition::{position}, {count}> {name};", "TQue")
        self._emit(f"pipe.InitBuffer({name}, {count}, {self._bytes(buffer, shape, dtype)});")
        self.at.names[name] = Que(name, dtype, buffer, shape)

    def _scratch(self, name: str, call: ast.Call) -> None:
        buffer = self.at.of(call.args[0])
        shape, dtype = self._shape(call.args[1]), self._dtype(call.args[2])
        self._emit(f"AscendC::TBuf<AscendC::TPosition::{_POSITION_OF[buffer]}> {name}_buf;", "TBuf")
        self._emit(f"pipe.InitBuffer({name}_buf, {self._bytes(buffer, shape, dtype)});")
        cpp = CPP[dtype.name]
        self._emit(f"AscendC::LocalTensor<{cpp}> {name} = {name}_buf.Get<{cpp}>();")
        self.at.names[name] = self._local(name, Que(name, dtype, buffer, shape), shape)

    def _take(self, name: str, call: ast.Call) -> None:
        if not isinstance(call.func, ast.Attribute):
            raise refuse(call, "this call", self.at)
        queue, verb = self.at.of(call.func.value), call.func.attr
        if not isinstance(queue, Que):
            raise refuse(call, "this call", self.at)
        method = "AllocTensor" if verb == "allocate" else "DeQue"
        cpp = CPP[queue.dtype.name]
        known = any(name in scope for scope in self.scopes)
        declared = "" if known else f"AscendC::LocalTensor<{cpp}> "
        self._emit(f"{declared}{name} = {queue.name}.{method}<{cpp}>();", method)
        self.scopes[-1].add(name)
        old = self.at.names.get(name)
        shape = queue.shape
        if verb == "allocate" and call.args:
            shape = self._shape(call.args[0])
        elif verb == "dequeue" and isinstance(old, Local):
            shape = old.shape
        self.at.names[name] = self._local(name, queue, shape)

    def _local(self, name: str, queue: Que, shape: tuple[Number, ...]) -> Local:
        row = self.at.rounded(shape[-1], 32 // queue.dtype.itemsize)
        layout = default_layout(queue.buffer, tuple(range(len(shape))))
        return Local(name, queue.dtype, queue.buffer, shape, shape, layout, row)

    def _bytes(self, buffer: str, shape: tuple[Number, ...], dtype: Any) -> str:
        size = number(dtype.itemsize)
        for axis, one in enumerate(shape):
            step = 16 if buffer != "UB" else 32 // dtype.itemsize
            last = axis == len(shape) - 1
            length = self.at.rounded(one, step) if buffer != "UB" or last else one
            size = self.at.combine(ast.Mult, size, length)
        return size.code
