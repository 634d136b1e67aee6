"""What a plan is made of: regions, meetings, and the block-level control around them."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.normal_form import Sync, deepcopy_tree, load

LIVE = "_live"


class Unplannable(KernelSourceError):
    """The regions cannot express this kernel; another tier runs it."""


@dataclass
class Region:
    """Statements for one loop over the threads of a block.

    Attributes
    ----------
    body : list of ast.stmt
    carried, kept : set of str
        Per-thread names loaded before the body and stored after it.
    again : list of ast.Assign
        Assignments computed again rather than kept, in order.
    """

    body: list[ast.stmt]
    carried: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    again: list[ast.Assign] = field(default_factory=list)


@dataclass
class Uniform:
    """A statement that runs once for the block."""

    statement: ast.stmt


@dataclass
class Branch:
    """A uniform ``if`` around a barrier."""

    test: ast.expr
    body: list
    orelse: list


@dataclass
class Loop:
    """A loop around a barrier: native where uniform, else ``while True`` left by its masks."""

    head: ast.For | ast.While | None
    body: list
    line: int


@dataclass
class WhenAny:
    """Block-level code that runs if a thread's mask is set."""

    mask: str
    body: list


@dataclass
class LeaveIfNone:
    """Leave the enclosing loop where no thread's mask is set."""

    mask: str


@dataclass
class Meeting:
    """A barrier or warp operation: the threads of `mask` (None: all) have arrived."""

    sync: Sync
    mask: str | None
    published: str | None
    result: str | None


@dataclass
class Plan:
    """What `emit` writes.

    Attributes
    ----------
    nodes : list
        `Region`, `Uniform`, `Branch`, `Loop`, `WhenAny`, `LeaveIfNone`, `Meeting`.
    expanded : set of str
        Names kept in an array with one element for each thread.
    masks : set of str
        Those of them that are masks.
    uniform : set of str
    counters : set of str
        Integers that masked loops over a range keep for every thread.
    published : dict
        Names whose values other threads read at a `Meeting`.
    """

    nodes: list
    expanded: set[str]
    masks: set[str]
    uniform: set[str]
    counters: set[str]
    published: dict[str, str]


class MeetingResult(ast.expr):
    """What one thread receives from a `Meeting`."""

    _fields = ("args",)

    @classmethod
    def of(cls, sync: Sync, mask: str | None, published: str | None, result: str | None):
        """Return what a thread receives at `sync`."""
        self = cls(deepcopy_tree(sync.args))
        self.intrinsic, self.mask = sync.intrinsic, mask
        self.published, self.result = published, result
        return ast.copy_location(self, sync)


def range_parts(call: ast.Call) -> list[ast.expr]:
    """Return start, stop and step of a ``range`` call."""
    args = call.args
    zero, one = constant_node(0, call), constant_node(1, call)
    return {1: [zero, *args, one], 2: [*args, one], 3: args}[len(args)]


def constant_node(value: object, like: ast.AST) -> ast.Constant:
    """Return a constant, placed where `like` is."""
    return ast.copy_location(ast.Constant(value), like)


def under(mask: str | None, body: list[ast.stmt], like: ast.AST) -> list[ast.stmt]:
    """Return statements that only the threads of a mask run."""
    if mask is None or not body:
        return body
    return [ast.copy_location(ast.If(load(mask, like), body, []), like)]


def regions_of(nodes: list):
    """Yield every region of a plan, in order."""
    for node in nodes:
        if isinstance(node, Region):
            yield node
        elif isinstance(node, Branch):
            yield from regions_of([*node.body, *node.orelse])
        elif isinstance(node, (Loop, WhenAny)):
            yield from regions_of(node.body)
