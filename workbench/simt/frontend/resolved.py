"""A function whose names are resolved: the nodes that the tiers and the instrumentation share."""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

from workbench.simt.frontend.intrinsics import IntrinsicName
from workbench.simt.frontend.source import KernelSource


class Index(ast.expr):
    """A value every thread has: ``threadIdx.x``, ``laneid``. Attribute `name`."""

    _fields = ()
    name: str


class Intrinsic(ast.expr):
    """A call of a CUDA name. Attribute `intrinsic` is its `IntrinsicName`."""

    _fields = ("args", "keywords")
    intrinsic: IntrinsicName
    args: list
    keywords: list


class DeviceCall(ast.expr):
    """A call of a device function. Attribute `function` is its `Resolved` form."""

    _fields = ("args", "keywords")
    function: Resolved
    args: list
    keywords: list


@dataclass(frozen=True)
class Site:
    """One place in the source that touches an array.

    Attributes
    ----------
    number : int
        Counted from 1 within one resolved kernel and its device functions.
    array : str
        The array as written, for instance ``"tile"``.
    text : str
        The whole access as written: ``"tile[ty, k]"``.
    kind : str
        ``"load"``, ``"store"`` or ``"atomic"``.
    file_name : str
    line, column : int
        Line counted from 1, column from 0, in the learner's file.
    """

    number: int
    array: str
    text: str
    kind: str
    file_name: str
    line: int
    column: int


@dataclass
class Resolved:
    """A function with its names resolved.

    Attributes
    ----------
    source : KernelSource
    tree : ast.FunctionDef
        With `Index`, `Intrinsic`, `DeviceCall` nodes and subscripts that carry `site`.
    sites : list of Site
        All sites, also those of the device functions called; `sites[n - 1].number == n`.
    device_functions : dict
        Python function -> Resolved, of every device function reached.
    synchronises : bool
        Whether it, or a device function it calls, has a barrier or a warp operation.
    shares : bool
        Whether it, or a device function it calls, makes an array that the block shares.
    inlined : bool
        Whether `normalise` puts it in place of its calls although it could stay a function.
    """

    source: KernelSource
    tree: ast.FunctionDef
    sites: list[Site] = field(default_factory=list)
    device_functions: dict[Any, Resolved] = field(default_factory=dict)
    synchronises: bool = False
    shares: bool = False
    inlined: bool = False

    @property
    def name(self) -> str:
        """The function's name."""
        return self.source.name
