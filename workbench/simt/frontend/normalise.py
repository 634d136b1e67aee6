"""One thing per statement: what the compiled tiers and the instrumentation are written against.

After `normalise`: barriers and warp operations are `Sync` statements of their own, with operands
already in names; arrays are declared apart; updates (``a[i] += v``) are a load and a store; device
functions that synchronise are inlined. Evaluation order is kept. It refuses loops with ``else``
around a barrier, and recursion through a barrier.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.hoisting import Hoisting
from workbench.simt.frontend.inlining import Renamer, is_store, placed, returns_to
from workbench.simt.frontend.normal_form import (
    Declaration,
    Normal,
    Sync,
    assign,
    deepcopy_tree,
    is_simple,
    load,
    published_operand,
)
from workbench.simt.frontend.resolved import DeviceCall, Intrinsic, Resolved
from workbench.simt.frontend.standing_alone import must_stand_alone, waits

DECLARED = {
    "shared.array": ("shape", "dtype"),
    "local.array": ("shape", "dtype"),
    "const.array_like": ("array",),
}


def normalise(resolved: Resolved, by: type[Normaliser] | None = None) -> Normal:
    """Bring a resolved function into normal form; `resolved` is left as it is.

    Parameters
    ----------
    resolved : Resolved
    by : type, optional
        A `Normaliser` that allows more.
    """
    result = Normal(resolved, resolved.source.parameters, [], sites=list(resolved.sites))
    body = _own_parameters(deepcopy_tree(resolved.tree.body), result.parameters)
    result.body = (by or Normaliser)(result).statements(body)
    return result


def _own_parameters(body: list[ast.stmt], parameters: tuple[str, ...]) -> list[ast.stmt]:
    """Give every thread a copy of each parameter that it assigns: arguments are every thread's."""
    names = [node for statement in body for node in ast.walk(statement) if type(node) is ast.Name]
    assigned = {node.id for node in names if isinstance(node.ctx, ast.Store)} & set(parameters)
    for node in names:
        if node.id in assigned:
            node.id = f"_own_{node.id}"
    copies = [assign(f"_own_{name}", load(name, body[0]), body[0]) for name in sorted(assigned)]
    return [*copies, *body]


class _Normaliser(Hoisting):
    """Brings the statements of one function into normal form."""

    def __init__(self, result: Normal):
        self.result, self.count, self.calls = result, 0, []

    def temp(self, what: str = "v") -> str:
        self.count += 1
        return f"_{what}{self.count}"

    def statements(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            visit = getattr(self, f"on_{type(statement).__name__}", None)
            out += visit(statement) if visit else self.plain(statement)
        return out

    def plain(self, statement: ast.stmt) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for name, value in ast.iter_fields(statement):
            if isinstance(value, ast.expr):
                setattr(statement, name, self.hoist(value, out))
        return [*out, statement]

    def on_Pass(self, statement: ast.Pass) -> list[ast.stmt]:
        return []

    def on_Expr(self, statement: ast.Expr) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        if isinstance(statement.value, Intrinsic) and waits(statement.value):
            self.synchronise(statement.value, None, out)
            return out
        statement.value = self.hoist(statement.value, out)
        return out if is_simple(statement.value) else [*out, statement]

    def on_AnnAssign(self, statement: ast.AnnAssign) -> list[ast.stmt]:
        if statement.value is None:
            return []
        plain = ast.Assign([statement.target], statement.value)
        return self.on_Assign(ast.copy_location(plain, statement))

    def on_AugAssign(self, statement: ast.AugAssign) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        target = statement.target
        if isinstance(target, ast.Subscript):
            target.slice = self.pin_index(target.slice, out)
        elif isinstance(target, ast.Attribute) and isinstance(target.value, ast.Subscript):
            target.value.slice = self.pin_index(target.value.slice, out)
        read = deepcopy_tree(target)
        read.ctx = ast.Load()
        site = getattr(read, "site", None)
        if site is not None:
            read.site = replace(site, number=len(self.result.sites) + 1, kind="load")
            self.result.sites.append(read.site)
        value = ast.copy_location(ast.BinOp(read, statement.op, statement.value), statement)
        return out + self.on_Assign(ast.copy_location(ast.Assign([target], value), statement))

    def pin_index(self, index: ast.expr, out: list[ast.stmt]) -> ast.expr:
        """Evaluate the parts of an index once."""
        if isinstance(index, ast.Tuple):
            index.elts = [self.pin_index(part, out) for part in index.elts]
            return index
        if is_simple(index) or isinstance(index, ast.Slice):
            return index
        return self.pin(self.hoist(index, out), out)

    def pin(self, value: ast.expr, out: list[ast.stmt], what: str = "v") -> ast.Name:
        name = self.temp(what)
        out.append(assign(name, value, value))
        return load(name, value)

    def on_Assign(self, statement: ast.Assign) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        value, target = statement.value, statement.targets[0]
        alone = len(statement.targets) == 1 and isinstance(target, ast.Name)
        if alone and isinstance(value, Intrinsic) and waits(value):
            if value.intrinsic.kind == "declare":
                self.declare(value, target.id)
            else:
                self.synchronise(value, target.id, out)
            return out
        statement.value = self.hoist(value, out)
        if len(statement.targets) > 1:
            kept = self.pin(statement.value, out)
            for one in statement.targets:
                part = ast.copy_location(ast.Assign([one], deepcopy_tree(kept)), statement)
                out += self.on_Assign(part)
            return out
        if isinstance(target, ast.Tuple) and any(
            not isinstance(part, ast.Name) for part in target.elts
        ):
            return out + self.unpack(target, statement.value, statement)
        for part in ast.walk(target):
            if isinstance(part, ast.Subscript):
                part.slice = self.hoist(part.slice, out)
        return [*out, statement]

    def unpack(self, target: ast.Tuple, value: ast.expr, like: ast.stmt) -> list[ast.stmt]:
        """``s[a], s[b] = x, y``: every value is computed before the first store."""
        out: list[ast.stmt] = []
        if isinstance(value, ast.Tuple):
            parts = [self.pin(part, out) for part in value.elts]
        else:
            names = [self.temp() for _ in target.elts]
            stores = [ast.copy_location(ast.Name(n, ast.Store()), like) for n in names]
            whole = ast.copy_location(ast.Tuple(stores, ast.Store()), like)
            out.append(ast.copy_location(ast.Assign([whole], value), like))
            parts = [load(name, like) for name in names]
        for one, part in zip(target.elts, parts, strict=True):
            out += self.on_Assign(ast.copy_location(ast.Assign([one], part), like))
        return out

    def on_If(self, statement: ast.If) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        statement.test = self.hoist(statement.test, out)
        statement.body = self.statements(statement.body) or [
            ast.copy_location(ast.Pass(), statement)
        ]
        statement.orelse = self.statements(statement.orelse)
        return [*out, statement]

    def on_While(self, statement: ast.While) -> list[ast.stmt]:
        if must_stand_alone(statement.test):
            leave = ast.If(ast.UnaryOp(ast.Not(), statement.test), [ast.Break()], [])
            statement.body = [placed(leave, statement), *statement.body]
            statement.test = ast.copy_location(ast.Constant(True), statement)
        return self.loop(statement)

    def on_For(self, statement: ast.For) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        statement.iter = self.hoist(statement.iter, out)
        return out + self.loop(statement)

    def loop(self, statement: Any) -> list[ast.stmt]:
        if statement.orelse:
            raise self.refuse(statement, "`else` after a loop", "test a flag after the loop")
        statement.body = self.statements(statement.body) or [
            ast.copy_location(ast.Pass(), statement)
        ]
        return [statement]

    def declare(self, node: Intrinsic, name: str) -> None:
        names = DECLARED[node.intrinsic.name]
        args = dict(zip(names, node.args, strict=False))
        args.update({word.arg: word.value for word in node.keywords if word.arg})
        kind = node.intrinsic.name.partition(".")[0]
        missing = [one for one in names if one not in args]
        if missing:
            raise self.refuse(node, f"cuda.{node.intrinsic.name} without {missing[0]}", "give it")
        args = {one: args[one] for one in (*names, "alignment") if one in args}
        self.result.declarations.append(Declaration(name, kind, args, node.lineno))

    def synchronise(self, node: Intrinsic, target: str | None, out: list[ast.stmt]) -> None:
        args = []
        for k, arg in enumerate(node.args):
            arg = self.hoist(arg, out)
            plain = isinstance(arg, ast.Constant) and k != published_operand(node)
            args.append(arg if plain else self.pin(arg, out, "p"))
        sync = Sync(args)
        sync.intrinsic, sync.target = node.intrinsic, target
        out.append(ast.copy_location(sync, node))

    def inline(self, node: DeviceCall, result: str, out: list[ast.stmt]) -> ast.expr:
        """Put a device function in place of its call."""
        callee = node.function
        if callee in self.calls:
            raise self.refuse(node, "recursion through a barrier", "write it as a loop")
        prefix = f"{callee.name}{self.temp('')}_"
        body = deepcopy_tree(callee.tree.body)
        substitute, before = self._bind(callee, node, prefix, body)
        renamed = Renamer(substitute, prefix, callee)
        body = [renamed.visit(statement) for statement in body]
        self._own_sites(body)
        self.calls.append(callee)
        out += before
        out += self.statements(self.returns(result, body, node))
        self.calls.pop()
        return load(result, node)

    def returns(self, result: str, body: list, node: ast.AST) -> list[ast.stmt]:
        """Write an inlined function's body, with its returns."""
        return returns_to(result, body, self, node)

    def _own_sites(self, body: list[ast.stmt]) -> None:
        """Give accesses of an inlined function sites of their own, with the caller's arrays."""
        for node in (part for statement in body for part in ast.walk(statement)):
            site = getattr(node, "site", None)
            if site is not None:
                array = ast.unparse(node.args[0] if isinstance(node, Intrinsic) else node.value)
                node.site = replace(site, number=len(self.result.sites) + 1, array=array)
                self.result.sites.append(node.site)

    def _bind(self, callee: Resolved, node: DeviceCall, prefix: str, body: list[ast.stmt]):
        names = list(callee.source.parameters)
        given = dict(zip(names, node.args, strict=False))
        given.update({word.arg: word.value for word in node.keywords if word.arg})
        defaults = callee.tree.args.defaults
        for name, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            given.setdefault(name, value)
        if set(given) != set(names):
            raise self.refuse(node, f"a call of {callee.name} with other arguments", "match them")
        stored = {n.id for s in body for n in ast.walk(s) if is_store(n)}
        substitute, before = {}, []
        for name in names:
            if is_simple(given[name]) and name not in stored:
                substitute[name] = given[name]
            else:
                before.append(assign(prefix + name, given[name], node))
        return substitute, before

    def refuse(self, node: ast.AST, what: str, advice: str) -> KernelSourceError:
        source = self.result.resolved.source
        line = getattr(node, "lineno", source.first_line)
        return KernelSourceError(
            f"{source.name} uses {what}, which the engine cannot compile.",
            f"{source.file_name}:{line}: {source.line(line).strip()}",
            advice,
        )


Normaliser = _Normaliser
"""To be extended by a tier that allows more."""
