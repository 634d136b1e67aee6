"""A kernel as Ascend C source, to read: what the same program looks like in the vendor's language.

The kernel's Python is translated statement by statement, for the shapes and dtypes of the
arguments given; helper functions, and `Matmul` and `Softmax`, are written out where they are
called. A kernel that uses both units becomes one for a Cube core and its Vector cores, each with
what is its own. The result is marked as generated and not compiled; each call cites its public
documentation page. An operation without a counterpart raises, and nothing is left out silently.
"""

from __future__ import annotations

import ast
import reprlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.aicore.ascend_c.calls import Calls
from workbench.aicore.ascend_c.expressions import Expressions, refuse
from workbench.aicore.ascend_c.inline import Inline, parsed
from workbench.aicore.ascend_c.makers import Makers
from workbench.aicore.ascend_c.text import WORK_BYTES, Lines, entry_of, with_head
from workbench.aicore.ascend_c.values import Array, Number, Que, lifted, number
from workbench.aicore.findings import AICoreError
from workbench.aicore.operations.arguments import Shape, Workspace, bind, dtype_of
from workbench.aicore.recording.instructions import Recording
from workbench.aicore.run import Kernel, rehearse
from workbench.errors import InputError, WorkbenchError

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
        With the line, for Python or an operation that has no counterpart; and what a launch would
        raise, for a kernel that cannot run on these arguments.
    """
    if not isinstance(kernel, Kernel):
        saw = reprlib.repr(kernel)
        raise InputError("This is not a kernel.", saw, "mark the function @aicore.kernel")
    values = bind(kernel.function, args)[1]
    try:
        made = _Translation(kernel, values, mixed=False)
        text = made.text()
        if made.lines.units >= {"AIC", "AIV"}:
            made = _Translation(kernel, values, mixed=True)
            text = made.text()
    except WorkbenchError:
        raise
    except Exception as error:
        rehearse(kernel, values)  # a kernel that cannot run says better why
        raise InputError(
            f"{kernel.__name__} cannot be printed for these arguments.",
            f"{type(error).__name__}: {error}",
            "arrays, shapes and plain numbers as arguments",
        ) from error
    _room(rehearse(kernel, values), len(made.calls.works) * WORK_BYTES)
    return text


def _room(recording: Recording, work: int) -> None:
    """Refuse a kernel that fills UB so far that the scratch of its reductions has no room."""
    placed = (one.place for one in recording.placements)
    held = sum(place.nbytes for place in placed if place.buffer == "UB")
    capacity = recording.chip.capacity("UB") if held or work else 0
    if held + work > capacity:
        raise AICoreError(
            "overflow",
            f"UB overflow: the scratch that the printed reductions need takes {work} bytes on top "
            f"of {held}; {recording.chip.title} has {capacity}.",
            recording.kernel,
            "smaller tiles",
        )


class _Translation:
    """One kernel on its way into C++."""

    def __init__(self, kernel: Kernel, args: Sequence[Any], mixed: bool):
        self.kernel, self.mixed = kernel, mixed
        self.tree, first, file = parsed(kernel.function)
        self.lines = Lines(mixed)
        self.parameters: list[Array] = []
        names = self._arguments(args)
        self.at = Expressions(kernel.function, file, first, names, kernel.vector_cores)
        self.at.assigns(self.tree)
        self.lines.names |= {one.name + end for one in self.parameters for end in ("", "_gm")}
        self.calls = Calls(self.at, {one.dtype.name for one in self.parameters}, mixed)
        self.makers = Makers(self.lines, self.value)
        self.inline = Inline(self)

    def text(self) -> str:
        """Return the whole file."""
        self.block(self.tree.body)
        self.lines.close()
        name = self.kernel.function.__name__
        entry = entry_of(name, self.parameters, self.calls.works, self.mixed, self.at.vector_cores)
        return "\n".join(with_head([*entry, *self.lines.hoisted, *self.lines.lines, "}", ""]))

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
                array = Array(name, dtype_of(name, value.dtype), shape, tuple(strides), number(0))
                self.parameters.append(array)
                found[name] = array
            else:
                found[name] = lifted(value.item() if isinstance(value, np.generic) else value)
        return found

    def block(self, body: list[ast.stmt]) -> None:
        """Translate statements."""
        for statement in body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                continue
            method = getattr(self, f"_{type(statement).__name__.lower()}", None)
            if method is None:
                raise refuse(statement, f"this {type(statement).__name__}", self.at)
            method(statement)

    def _inner(self, head: str, body: list[ast.stmt], branch: bool) -> None:
        with self.lines.inside(head, branch):
            self.block(body)

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
        name = self.lines.fresh(node.target.id)
        self.at.names[node.target.id] = Number(name)
        head = f"for (int32_t {name} = {start.code}; {name} < {stop.code}; {name} += {step.code})"
        self._inner(f"{head} {{", node.body, branch=False)
        self.lines.emit("}")

    def _if(self, node: ast.If) -> None:
        test = self.at.truth(node.test)
        if isinstance(test, bool):
            self.block(node.body if test else node.orelse)
            return
        self._inner(f"if ({test.code}) {{", node.body, branch=True)
        if node.orelse:
            self._inner("} else {", node.orelse, branch=True)
        self.lines.emit("}")

    def _pass(self, _node: ast.Pass) -> None:
        return

    def _expr(self, node: ast.Expr) -> None:
        call = node.value
        if not isinstance(call, ast.Call):
            raise refuse(node, "this statement", self.at)
        owner = self.at.of(call.func.value) if isinstance(call.func, ast.Attribute) else None
        if isinstance(owner, Que):
            self._hand_over(call, owner)
            return
        name = self.at.operation(call)
        if name:
            for code, cited, unit in self.calls.lines(name, call, self.value):
                self.lines.emit(code, cited, unit)
        else:
            self.inline.call(call)

    def _hand_over(self, call: ast.Call, queue: Que) -> None:
        verb = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if verb not in _METHODS:
            raise refuse(call, f"the call {ast.unparse(call.func)}", self.at)
        tensor, unit = self.at.of(call.args[0]), "AIV" if queue.buffer == "UB" else "AIC"
        self.lines.emit(f"{queue.name}.{_METHODS[verb]}({tensor.code});", _METHODS[verb], unit)

    def _assign(self, node: ast.Assign) -> None:
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = zip(target.elts, node.value.elts, strict=True)
            found: Any = [self.value(value, ast.unparse(name)) for name, value in pairs]
        else:
            found = self.value(node.value, ast.unparse(target).rpartition(".")[2])
        if isinstance(target, ast.Tuple):
            for one, part in zip(target.elts, found, strict=True):
                self._bind(one, part)
        else:
            self._bind(target, found)

    def value(self, node: ast.expr, name: str) -> Any:
        """Return what an expression stands for, after emitting what it takes to make it."""
        if isinstance(node, ast.Call):
            found = self.makers.make(node, name, self.at)
            return self.inline.call(node) if found is None else found
        return self.at.of(node)

    def _bind(self, target: ast.expr, found: Any) -> None:
        if isinstance(target, ast.Attribute):
            self.at.of(target.value).fields[target.attr] = found
            return
        name = ast.unparse(target)
        if isinstance(found, Number):
            found = self.lines.number(self.at, name, found)
        self.at.names[name] = found
