"""Which loops may wait for another thread: others must run before such a loop can end.

A loop may wait where whether it goes on depends on memory: a flag that is read, a lock that is
taken. Only ``while`` loops do; a ``for`` ends by itself. "Yes" may be wrong and then costs time:
a binary search reads memory too.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import ast
from dataclasses import replace

from workbench.simt.planning.analysis import reads, writes
from workbench.simt.frontend.intrinsics import CACHE_LOADS
from workbench.simt.frontend.normal_form import deepcopy_tree
from workbench.simt.planning.proofs import loop_ends
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Resolved


def may_wait(loop: ast.AST, function_body: list[ast.stmt]) -> bool:
    """Return whether a statement is a loop that may only end when another thread has written."""
    if not isinstance(loop, ast.While) or loop_ends(loop, function_body):
        return False
    deciding: list[ast.AST] = [loop.test]
    assigned: list[tuple[ast.stmt, tuple[ast.AST, ...]]] = []
    _decisions(loop.body, (), deciding, assigned)
    names = {name for node in deciding for name in reads(node)}
    while True:
        more = [
            part
            for statement, guards in assigned
            if writes(statement) & names
            for part in (statement, *guards)
            if part not in deciding
        ]
        if not more:
            return any(_sees_memory(node) for node in deciding)
        deciding += more
        names |= {name for node in more for name in reads(node)}


def _decisions(body: list[ast.stmt], guards: tuple, deciding: list, assigned: list) -> None:
    """Collect what decides about leaving a loop, and every assignment with its conditions."""
    for statement in body:
        if isinstance(statement, (ast.Break, ast.Return)):
            deciding += guards
        elif isinstance(statement, ast.If):
            for branch in (statement.body, statement.orelse):
                _decisions(branch, (*guards, statement.test), deciding, assigned)
        elif isinstance(statement, (ast.For, ast.While)):
            head = statement.iter if isinstance(statement, ast.For) else statement.test
            if isinstance(statement, ast.For):
                assigned.append((_target_of(statement), (*guards, head)))
            _decisions(statement.body, (*guards, head), deciding, assigned)
        else:
            assigned.append((statement, guards))


def _target_of(loop: ast.For) -> ast.stmt:
    return ast.copy_location(ast.Assign([loop.target], loop.iter), loop)


def _sees_memory(node: ast.AST) -> bool:
    return any(
        (isinstance(part, ast.Subscript) and hasattr(part, "site"))
        or (
            isinstance(part, Intrinsic)
            and (part.intrinsic.kind == "atomic" or part.intrinsic.name in CACHE_LOADS)
        )
        or (isinstance(part, DeviceCall) and _sees_memory(part.function.tree))
        for part in ast.walk(node)
    )


def with_waits_in_sight(resolved: Resolved) -> Resolved:
    """Return a copy in which device functions that may wait will be inlined."""
    copies: dict[int, Resolved] = {}

    def copied(one: Resolved) -> Resolved:
        if id(one) not in copies:
            new = copies[id(one)] = replace(one, tree=deepcopy_tree(one.tree))
            calls = [node for node in ast.walk(new.tree) if isinstance(node, DeviceCall)]
            for call in calls:
                call.function = copied(call.function)
            waits = any(may_wait(part, new.tree.body) for part in ast.walk(new.tree))
            new.inlined = waits or any(call.function.inlined for call in calls)
        return copies[id(one)]

    result = copied(resolved)
    result.device_functions = {key: copied(one) for key, one in resolved.device_functions.items()}
    result.inlined = False
    return result
