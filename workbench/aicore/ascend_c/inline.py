"""Helper functions, and the objects that they share, written out where a kernel calls them.

What a helper is given is bound to its parameters as it is, its own names become new ones, and what
it returns goes back to the caller. It refuses helpers that return from the middle.
"""

from __future__ import annotations

import ast
import inspect
import reprlib
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from workbench.aicore.ascend_c.expressions import Expressions, refuse
from workbench.aicore.ascend_c.values import Array, lifted
from workbench.aicore.findings import AICoreError
from workbench.errors import InputError

_OURS = "workbench.aicore."


@dataclass
class Bundle:
    """An object with attributes: a `SimpleNamespace`, `Matmul` or `Softmax`."""

    kind: Any
    fields: dict[str, Any] = field(default_factory=dict)

    def attribute(self, name: str) -> Any:
        """Return a field, or a method of its class."""
        if name in self.fields:
            return self.fields[name]
        return Method(self, getattr(self.kind, name))


@dataclass(frozen=True)
class Method:
    """A function bound to a `Bundle`."""

    owner: Bundle
    function: Callable[..., Any]


def parsed(function: Callable[..., Any]) -> tuple[ast.FunctionDef, int, str]:
    """Return a function's tree, its first line and its file."""
    try:
        source, first = inspect.getsourcelines(function)
    except OSError as error:
        raise InputError(
            f"The source of {function.__name__} cannot be had.",
            str(error),
            "define it in a file or in a cell of a notebook",
        ) from error
    tree = ast.parse(textwrap.dedent("".join(source))).body[0]
    if not isinstance(tree, ast.FunctionDef):
        raise InputError("Only a function can be translated.", reprlib.repr(function))
    return tree, first, inspect.getsourcefile(function) or ""


class Inline:
    """Writes out calls inside one translation."""

    def __init__(self, translation: Any):
        self.translation = translation

    def call(self, node: ast.Call) -> Any:
        """Translate a call of a helper, an object or a class, and return what it returns."""
        at = self.translation.at
        if isinstance(node.func, ast.Attribute) and isinstance(
            at.of(node.func.value), (Array, dict)
        ):
            return at.of(node)
        made_here = isinstance(node.func, ast.Call)  # Matmul(a.dtype)(out, a, b)
        callee = self.translation.value(node.func, "made") if made_here else at.of(node.func)
        if isinstance(callee, Bundle):
            callee = Method(callee, callee.kind.__call__)
        if isinstance(callee, Method):
            return self._written_out(node, callee.function, [callee.owner])
        if callee is SimpleNamespace:
            value = self.translation.value
            fields = {one.arg: value(one.value, one.arg) for one in node.keywords if one.arg}
            return Bundle(SimpleNamespace, fields)
        if inspect.isclass(callee) and callee.__module__.startswith(_OURS):
            made = Bundle(callee)
            self._written_out(node, callee.__init__, [made])
            return made
        if inspect.isfunction(callee) and at.operation(node) == "" and not at.is_pure(callee):
            return self._written_out(node, callee, [])
        return at.of(node)

    def _written_out(self, node: ast.Call, function: Callable[..., Any], first: list[Any]) -> Any:
        translation = self.translation
        outer = translation.at
        values = first + [outer.of(one) for one in node.args]
        named = {one.arg: outer.of(one.value) for one in node.keywords if one.arg}
        bound = inspect.signature(function).bind(*values, **named)
        bound.apply_defaults()
        tree, line, file = parsed(function)
        names = {name: lifted(value) for name, value in bound.arguments.items()}
        inner = Expressions(function, file, line, names, outer.vector_cores)
        inner.assigns(tree)
        translation.at = translation.calls.at = inner
        try:
            return self._body(tree, inner)
        except AICoreError as error:
            if not function.__module__.startswith(_OURS):
                raise
            inside = error.happened.removeprefix("to_ascend_c cannot translate ").rstrip(".")
            raise refuse(node, f"{inside} (in {function.__qualname__})", outer) from error
        finally:
            translation.at = translation.calls.at = outer

    def _body(self, tree: ast.FunctionDef, inner: Expressions) -> Any:
        last = tree.body[-1]
        returns = [one for one in ast.walk(tree) if isinstance(one, ast.Return)]
        if any(one is not last for one in returns):
            raise refuse(returns[0], "a return from the middle of a helper", inner)
        if not isinstance(last, ast.Return) or last.value is None:
            self.translation.block(tree.body)
            return None
        self.translation.block(tree.body[:-1])
        return self.translation.value(last.value, "tile")
