"""From a Python function to its syntax tree, with true line numbers and the names it sees.

Everything a later stage tells a learner (a finding, a metric per line, a breakpoint) is in terms of
the file and line that the learner wrote, so the tree keeps them. It refuses functions whose source
cannot be found: a kernel that cannot be shown cannot be explained.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import textwrap
from dataclasses import dataclass, field
from typing import Any

from workbench.simt.errors import KernelSourceError, NoSourceError
from workbench.simt.library.vectors import ours

MISSING = object()


@dataclass(frozen=True)
class KernelSource:
    """One function's source.

    Attributes
    ----------
    name, file_name : str
    first_line : int
        Line of the ``def`` or its first decorator in the file.
    tree : ast.FunctionDef
        With the file's own line numbers and columns, without decorators and annotations.
    function : callable
        The Python function.
    """

    name: str
    file_name: str
    first_line: int
    tree: ast.FunctionDef
    function: Any
    _cells: dict = field(repr=False, default_factory=dict)
    _bound: dict = field(repr=False, default_factory=dict)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters, in order."""
        return tuple(arg.arg for arg in (*self.tree.args.posonlyargs, *self.tree.args.args))

    def specialise(self, bound: dict[str, Any]) -> None:
        """Give parameters their values for good: they are parameters no longer."""
        self._bound.update(bound)
        args = self.tree.args
        kept = [arg for arg in args.args if arg.arg not in bound]
        first = len(args.args) - len(args.defaults)
        with_default = {arg.arg for arg in args.args[first:]}
        defaults = dict(zip((a.arg for a in args.args[first:]), args.defaults, strict=True))
        args.args = kept
        args.defaults = [defaults[arg.arg] for arg in kept if arg.arg in with_default]

    def lookup(self, name: str) -> Any:
        """Return what a free name means now, or `MISSING`: closure, globals, then builtins."""
        if name in self._bound:
            return self._bound[name]
        cell = self._cells.get(name, MISSING)
        if cell is not MISSING:
            return ours(cell.cell_contents)
        value = self.function.__globals__.get(name, MISSING)
        return getattr(builtins, name, MISSING) if value is MISSING else ours(value)

    def line(self, number: int) -> str:
        """Return one line of the file, without its line break."""
        return linecache.getline(self.file_name, number).rstrip("\n")


def read(function: Any) -> KernelSource:
    """Return the source of a Python function.

    Raises
    ------
    KernelSourceError
        Where there is no source, or the object is not a plain function.
    """
    if not inspect.isfunction(function):
        raise KernelSourceError(
            "Only a plain Python function can become a kernel.",
            f"a {type(function).__name__}",
            "decorate a function defined with `def`",
        )
    try:
        lines, first_line = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        raise NoSourceError(
            f"The source of {function.__name__} cannot be read.",
            str(error),
            "define the kernel in a file or a notebook cell",
        ) from error
    tree = _parse(function, lines, first_line)
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return KernelSource(
        function.__name__, function.__code__.co_filename, first_line, tree, function, cells
    )


def _parse(function: Any, lines: list[str], first_line: int) -> ast.FunctionDef:
    text = textwrap.dedent("".join(lines))
    try:
        module = ast.parse(text)
    except SyntaxError:  # a lambda or a def in the middle of an expression
        module = ast.Module([], [])
    found = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef) and node.name == function.__name__
    ]
    if not found:
        found = [node for node in ast.walk(module) if isinstance(node, ast.Lambda)]
    if len(found) < 1:
        raise KernelSourceError(
            f"The definition of {function.__name__} was not found in its source.",
            text.strip().splitlines()[0] if text.strip() else "nothing",
            "write it as a `def` of its own",
        )
    tree = found[0] if isinstance(found[0], ast.FunctionDef) else _as_function(found[0])
    ast.increment_lineno(tree, first_line - 1)
    indent = len(lines[0]) - len(lines[0].lstrip())
    for node in ast.walk(tree):
        if hasattr(node, "col_offset"):
            node.col_offset += indent
            node.end_col_offset += indent
    tree.decorator_list, tree.returns = [], None
    for arg in (*tree.args.posonlyargs, *tree.args.args):
        arg.annotation = None
    if _is_docstring(tree.body[0]):
        tree.body[0] = ast.copy_location(ast.Pass(), tree.body[0])
    return tree


def _as_function(node: ast.Lambda) -> ast.FunctionDef:
    result = ast.FunctionDef("<lambda>", node.args, [ast.Return(node.body)], [], None)
    result.name = "lambda_"
    ast.copy_location(result, node)
    ast.copy_location(result.body[0], node.body)
    return result


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
