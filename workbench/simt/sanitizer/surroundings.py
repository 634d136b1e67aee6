"""Where a line stands in its kernel: in which loop, after which barrier, under which condition.

A cure is only likely if it looks at the code around the two lines: "put a barrier between them" is
no help where there is one, and the other one is missing, at the end of the loop.
"""

from __future__ import annotations

import ast
import linecache
from dataclasses import dataclass
from typing import Any

_BLOCK_WAITS = ("syncthreads", "syncthreads_count", "syncthreads_and", "syncthreads_or", "sync")
WAITS = {"cuda.syncthreads()": _BLOCK_WAITS, "cuda.syncwarp()": (*_BLOCK_WAITS, "syncwarp")}


@dataclass(frozen=True)
class Surroundings:
    """One or two lines of one function.

    Attributes
    ----------
    in_loop : bool
        Whether one loop holds both lines.
    parted : bool
        Whether a line that waits stands between them.
    waits_elsewhere : bool
        Whether that loop waits at another place.
    """

    in_loop: bool
    parted: bool
    waits_elsewhere: bool


def surroundings(path: str, lines: list[int], wait: str) -> Surroundings | None:
    """Return where lines stand; None where the source is not to be had, or they are far apart.

    Parameters
    ----------
    path : str
    lines : list of int
        Sorted.
    wait : {"cuda.syncthreads()", "cuda.syncwarp()"}
    """
    function = _function(path, lines)
    if function is None:
        return None
    loops = [
        node for node in ast.walk(function)
        if isinstance(node, (ast.For, ast.While))
        and all(_holds(node.body, line) for line in lines)
    ]  # fmt: skip
    around: Any = max(loops, key=lambda node: node.lineno, default=None)
    inside = _waits(around, wait) if around is not None else _waits(function, wait)
    parted = any(lines[0] < line < lines[-1] for line in inside)
    elsewhere = any(not lines[0] < line < lines[-1] for line in inside)
    return Surroundings(around is not None, parted, around is not None and elsewhere)


def condition_over(path: str, line: int) -> ast.If | None:
    """Return the innermost ``if`` in whose body a line stands."""
    function = _function(path, [line])
    if function is None:
        return None
    found = [
        node for node in ast.walk(function)
        if isinstance(node, ast.If) and _holds(node.body, line)
    ]  # fmt: skip
    return max(found, key=lambda node: node.lineno, default=None)


def statement_at(path: str, line: int) -> ast.stmt | None:
    """Return the innermost statement that begins on a line."""
    function = _function(path, [line])
    if function is None:
        return None
    found = [n for n in ast.walk(function) if isinstance(n, ast.stmt) and n.lineno == line]
    return found[-1] if found else None


def _function(path: str, lines: list[int]) -> Any:
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except SyntaxError:  # a notebook's cell with a magic
        return None
    found = [
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and all(_holds(node.body, line) for line in lines)
    ]  # fmt: skip
    return max(found, key=lambda node: node.lineno, default=None)


def _holds(body: list[ast.stmt], line: int) -> bool:
    return body[0].lineno <= line <= (body[-1].end_lineno or 0)


def _waits(node: ast.AST, wait: str) -> list[int]:
    calls = (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return [one.lineno for one in calls if getattr(one.func, "attr", "") in WAITS[wait]]
