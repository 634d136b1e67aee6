"""What is cheaper to compute again in every region than to keep for every thread.

Thread indices, and what follows from them alone, are recomputed: the compiler then sees strides and
ranges again, which is worth an order of magnitude (512 x 512 tiled matmul: 75 ms kept, 9 ms
recomputed, in the prototype).
"""

from __future__ import annotations

import ast
from collections import Counter

from workbench.simt.frontend.normal_form import Normal, Sync
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic
from workbench.simt.planning.analysis import has_sync, reads, writes

_PURE_CALLS = ("grid", "gridsize", "lanemask_lt")


def rematerialisable(
    body: list[ast.stmt],
    names: set[str],
    uniform: set[str],
    normal: Normal,
    arrays: set[str],
) -> dict[str, ast.Assign]:
    """Return name -> its only assignment, for per-thread names computed from what never changes.

    Parameters
    ----------
    body : list of ast.stmt
    names : set of str
        The kernel's locals.
    uniform : set of str
        Those of them that are uniform.
    normal : Normal
    arrays : set of str
        Names that hold arrays: a view of one is no load.
    """
    count: Counter[str] = Counter()
    for statement in body:
        for part in ast.walk(statement):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                count[part.id] += 1
            if isinstance(part, Sync) and part.target:
                count[part.target] += 1
    found: dict[str, ast.Assign] = {}
    fixed = {name for name in uniform if count[name] == 1}
    assigned = names & set(count)

    def stable(node: ast.AST, loop_names: set[str]) -> bool:
        changing = (reads(node) & assigned) - set(found) - fixed - loop_names
        return not changing and _pure(node, arrays)

    def walk(statements: list[ast.stmt], loop_names: set[str]) -> None:
        for statement in statements:
            if isinstance(statement, ast.Assign):
                made = writes(statement)
                single = all(count[name] == 1 for name in made) and bool(made)
                fixed_here = single and not made & uniform and stable(statement.value, loop_names)
                if fixed_here and not _loads(statement.value, bool(made & arrays)):
                    found.update(dict.fromkeys(made, statement))
            elif isinstance(statement, ast.For) and has_sync(statement):
                own = writes(statement.target) & fixed
                walk(statement.body, loop_names | own)

    walk(body, set())
    return found


def _loads(node: ast.AST, view: bool) -> bool:
    """Return whether an expression reads memory: a view itself does not, what chooses it may."""
    while view and isinstance(node, ast.Subscript):
        if _loads(node.slice, False):
            return True
        node = node.value
    return any(isinstance(p, ast.Subscript) and hasattr(p, "site") for p in ast.walk(node))


def _is_simple(function: ast.expr, arrays: set[str]) -> bool:
    """Return whether a call is of a plain name, or asks an array for another shape."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return function.attr == "reshape" and function.value.id in arrays
    return isinstance(function, ast.Name)


def _pure(node: ast.AST, arrays: set[str]) -> bool:
    for part in ast.walk(node):
        if isinstance(part, DeviceCall):
            return False
        if isinstance(part, Intrinsic) and part.intrinsic.name not in _PURE_CALLS:
            return False
        if isinstance(part, ast.Call) and not _is_simple(part.func, arrays):
            return False
    return True
