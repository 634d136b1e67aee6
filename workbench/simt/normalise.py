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
from copy import copy, deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.simt.errors import KernelSourceError
from workbench.simt.intrinsics import IntrinsicName
from workbench.simt.resolve import DeviceCall, Index, Intrinsic, Resolved, Site


class Sync(ast.stmt):
    """A synchronising operation: ``target = intrinsic(*args)``, all operands names or constants.

    Attributes
    ----------
    intrinsic : IntrinsicName
    target : str or None
        The name that receives the result.
    """

    _fields = ("args",)
    intrinsic: IntrinsicName
    target: str | None
    args: list


@dataclass(frozen=True)
class Declaration:
    """A shared, local or constant array.

    Attributes
    ----------
    name : str
        The kernel's name for it.
    kind : str
        ``"shared"``, ``"local"`` or ``"const"``.
    args : dict
        ``shape`` and ``dtype``, or ``array`` for a constant, as syntax trees.
    line : int
    """

    name: str
    kind: str
    args: dict[str, ast.expr]
    line: int


@dataclass
class Normal:
    """A function in normal form.

    Attributes
    ----------
    resolved : Resolved
    parameters : tuple of str
    body : list of ast.stmt
    declarations : list of Declaration
    sites : list of Site
        May have grown: an update of an element is two sites.
    """

    resolved: Resolved
    parameters: tuple[str, ...]
    body: list[ast.stmt]
    declarations: list[Declaration] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)


DECLARED = {
    "shared.array": ("shape", "dtype"),
    "local.array": ("shape", "dtype"),
    "const.array_like": ("array",),
}


def normalise(resolved: Resolved) -> Normal:
    """Bring a resolved function into normal form; `resolved` is left as it is."""
    result = Normal(resolved, resolved.source.parameters, [], sites=list(resolved.sites))
    body = _own_parameters(deepcopy_tree(resolved.tree.body), result.parameters)
    result.body = _Normaliser(result).statements(body)
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


def deepcopy_tree(nodes: Any) -> Any:
    """Copy syntax trees but not the `Resolved` functions and sites they point to."""
    memo: dict[int, Any] = {}
    for node in nodes if isinstance(nodes, list) else [nodes]:
        for part in ast.walk(node):
            for name in ("function", "site", "intrinsic"):
                shared = getattr(part, name, None)
                if shared is not None:
                    memo[id(shared)] = shared
    return deepcopy(nodes, memo)


def load(name: str, like: ast.AST) -> ast.Name:
    """Return a read of a name, placed where `like` is."""
    return ast.copy_location(ast.Name(name, ast.Load()), like)


def assign(name: str, value: ast.expr, like: ast.AST) -> ast.Assign:
    """Return ``name = value``, placed where `like` is."""
    target = ast.copy_location(ast.Name(name, ast.Store()), like)
    return ast.copy_location(ast.Assign([target], value), like)


def is_simple(node: ast.AST) -> bool:
    """Return whether evaluating `node` later gives the same and costs nothing."""
    return isinstance(node, (ast.Name, ast.Constant, Index))


def published_operand(node: Intrinsic | Sync) -> int | None:
    """Return which operand of a barrier or warp operation the other threads read, if one."""
    kind, count = node.intrinsic.kind, len(node.args)
    if kind == "block":
        return 0 if count else None
    if kind == "warp":
        return 1 if count > 1 else None
    return None


def _waits(node: ast.AST) -> bool:
    """Return whether evaluating this node itself must stand alone."""
    if isinstance(node, Intrinsic):
        return node.intrinsic.synchronises or node.intrinsic.kind == "declare"
    if not isinstance(node, DeviceCall):
        return False
    return node.function.synchronises or node.function.shares or node.function.inlined


def _must_stand_alone(node: ast.AST) -> bool:
    return any(_waits(part) for part in ast.walk(node))


class _Normaliser:
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
        if isinstance(statement.value, Intrinsic) and _waits(statement.value):
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
        if alone and isinstance(value, Intrinsic) and _waits(value):
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
        if _must_stand_alone(statement.test):
            leave = ast.If(ast.UnaryOp(ast.Not(), statement.test), [ast.Break()], [])
            statement.body = [_placed(leave, statement), *statement.body]
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

    def hoist(self, node: ast.expr, out: list[ast.stmt]) -> ast.expr:
        """Return `node` with everything that must stand alone moved into `out`, in order."""
        if not _must_stand_alone(node):
            return node
        if isinstance(node, ast.BoolOp):
            return self.hoist_boolean(node, out)
        if isinstance(node, ast.IfExp):
            return self.hoist_choice(node, out)
        children = [child for child in _operands(node) if isinstance(child, ast.expr)]
        waiting = [k for k, child in enumerate(children) if _must_stand_alone(child)]
        replaced: dict[int, ast.expr] = {}
        for k, child in enumerate(children):
            new = self.hoist(child, out)
            if waiting and k < waiting[-1] and not is_simple(new):
                new = self.pin(new, out)
            replaced[id(child)] = new
        _replace(node, replaced)
        if not _waits(node):
            return node
        name = self.temp()
        if isinstance(node, DeviceCall):
            return self.inline(node, name, out)
        if node.intrinsic.kind == "declare":
            self.declare(node, name)
        else:
            self.synchronise(node, name, out)
        return load(name, node)

    def hoist_boolean(self, node: ast.BoolOp, out: list[ast.stmt]) -> ast.expr:
        name = self.temp()
        out.append(assign(name, self.hoist(node.values[0], out), node))
        for value in node.values[1:]:
            inner: list[ast.stmt] = []
            new = self.hoist(value, inner)
            test: ast.expr = load(name, node)
            if isinstance(node.op, ast.Or):
                test = ast.copy_location(ast.UnaryOp(ast.Not(), test), node)
            branch = ast.If(test, [*inner, assign(name, new, node)], [])
            out.append(ast.copy_location(branch, node))
        return load(name, node)

    def hoist_choice(self, node: ast.IfExp, out: list[ast.stmt]) -> ast.expr:
        name = self.temp()
        test = self.hoist(node.test, out)
        branches: list[list[ast.stmt]] = []
        for value in (node.body, node.orelse):
            inner: list[ast.stmt] = []
            new = self.hoist(value, inner)
            branches.append([*inner, assign(name, new, node)])
        out.append(ast.copy_location(ast.If(test, *branches), node))
        return load(name, node)

    def inline(self, node: DeviceCall, result: str, out: list[ast.stmt]) -> ast.expr:
        """Put a device function in place of its call."""
        callee = node.function
        if callee in self.calls:
            raise self.refuse(node, "recursion through a barrier", "write it as a loop")
        prefix = f"{callee.name}{self.temp('')}_"
        body = deepcopy_tree(callee.tree.body)
        substitute, before = self._bind(callee, node, prefix, body)
        renamed = _Renamer(substitute, prefix, callee)
        body = [renamed.visit(statement) for statement in body]
        self._own_sites(body)
        self.calls.append(callee)
        out += before
        out += self.statements(_returns_to(result, body, self, node))
        self.calls.pop()
        return load(result, node)

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
        stored = {n.id for s in body for n in ast.walk(s) if _is_store(n)}
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


def _operands(node: ast.AST):
    """Children in the order Python evaluates them, through containers and keywords."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword):
            yield child.value
        elif isinstance(child, ast.Slice):
            yield from _operands(child)
        else:
            yield child


def _replace(node: ast.AST, new: dict[int, ast.expr]) -> None:
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            for k, item in enumerate(value):
                if isinstance(item, ast.keyword):
                    item.value = new.get(id(item.value), item.value)
                else:
                    value[k] = new.get(id(item), item)
        elif isinstance(value, ast.Slice):
            _replace(value, new)
        elif isinstance(value, ast.AST):
            setattr(node, name, new.get(id(value), value))


def _is_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _placed(node: Any, like: ast.AST) -> Any:
    for part in ast.walk(node):
        if not hasattr(part, "lineno"):
            ast.copy_location(part, like)
    return node


class _Renamer(ast.NodeTransformer):
    """Gives an inlined function's names a prefix, and its parameters their arguments."""

    def __init__(self, substitute: dict[str, ast.expr], prefix: str, callee: Resolved):
        self.substitute, self.prefix = substitute, prefix
        self.names = set(callee.source.parameters) | {
            node.id for node in ast.walk(callee.tree) if _is_store(node)
        }
        self.callee = callee

    def visit_Name(self, node: ast.Name):
        if node.id in self.substitute:
            return ast.copy_location(copy(self.substitute[node.id]), node)
        if node.id in self.names:
            node.id = self.prefix + node.id
        else:
            node.scope = self.callee.source
        return node


def _returns_to(result: str, body: list, owner: _Normaliser, like: ast.AST) -> list[ast.stmt]:
    """Rewrite ``return value`` as an assignment to `result`."""
    returns = [node for s in body for node in ast.walk(s) if isinstance(node, ast.Return)]
    none = ast.copy_location(ast.Constant(0), like)
    if not returns:
        return [*body, assign(result, none, like)]
    if len(returns) == 1 and body[-1] is returns[0]:
        return [*body[:-1], assign(result, returns[0].value or none, returns[0])]
    nested = [
        node
        for s in body
        for loop in ast.walk(s)
        if isinstance(loop, (ast.For, ast.While))
        for node in ast.walk(loop)
        if isinstance(node, ast.Return)
    ]
    if nested:
        raise owner.refuse(
            nested[0], "`return` inside a loop of a function that synchronises", "use a flag"
        )
    once = ast.While(ast.Constant(True), _ReturnToBreak(result).block(body), [])
    once.body.append(ast.Break())
    return [_placed(once, like)]


class _ReturnToBreak:
    def __init__(self, result: str):
        self.result = result

    def block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        out: list[ast.stmt] = []
        for statement in body:
            if isinstance(statement, ast.Return):
                value = statement.value or ast.copy_location(ast.Constant(0), statement)
                out.append(assign(self.result, value, statement))
                out.append(ast.copy_location(ast.Break(), statement))
                continue
            if isinstance(statement, ast.If):
                statement.body = self.block(statement.body)
                statement.orelse = self.block(statement.orelse)
            out.append(statement)
        return out
