"""What a thread keeps while it waits, and where in memory everything lies.

A block in flight has one *slot*: a header, three numbers for every thread (its program counter, the
meeting that it waits for, that meeting's mask), its shared arrays, and a frame for every thread
with its locals and local arrays. Only what a later state reads is kept.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import types

from workbench.simt.codegen.declared import DeclaredArray, dtype_text, itemsize_of_type
from workbench.simt.irregular.cells import ALIGNMENT, bytes_of
from workbench.simt.irregular.flow import Flow
from workbench.simt.irregular.nodes import End, Jump, jumps
from workbench.simt.library.vectors import VECTORS
from workbench.simt.planning.analysis import exposed, reads, writes
from workbench.simt.planning.nodes import Unplannable

HEADER_BYTES = 64
"""Of a slot: see `scheduler.SLOT_BLOCK` and its neighbours."""
MEETING_BYTES = 48
"""Of a frame: what is said at a warp operation and what is heard there."""
_WAYS = 1024
"""Frames this far apart would all fall into the same lines of the cache."""


@dataclass
class Layout:
    """Where in a slot everything lies, in bytes.

    Attributes
    ----------
    threads : int
        Of a block.
    cells : dict
        Name -> (offset in the frame, Numba type), of every local that is kept.
    arrays : dict
        Name -> offset: of a shared array in the slot, of a local array in the frame.
    frames : int
        Where the frames begin.
    frame : int
        Bytes of one frame.
    block_bytes : int
        Bytes of a slot without the dynamic shared memory, which follows.
    """

    threads: int
    cells: dict[str, tuple[int, types.Type]] = field(default_factory=dict)
    arrays: dict[str, int] = field(default_factory=dict)
    frames: int = 0
    frame: int = 0
    block_bytes: int = 0


def layout(
    flow: Flow, loads: dict[int, set[str]], kinds: dict, arrays: list[DeclaredArray], threads: int
) -> Layout:
    """Return the places of a kernel's memory.

    Raises
    ------
    Unplannable
        Where a value is kept that has no place.
    """
    made = Layout(threads)
    at = HEADER_BYTES + 24 * threads
    for one in arrays:
        if one.kind == "shared" and not one.dynamic:
            at = made.arrays[one.name] = _up(at, 64)
            at += one.nbytes
    made.frames = _up(at, 64)
    at = MEETING_BYTES
    for name in sorted(_kept(flow, loads)):
        kind = types.int64 if name in flow.counters else types.unliteral(_kind(name, kinds))
        type_text(kind, name)
        size = bytes_of(kind)
        at = _up(at, min(ALIGNMENT, 1 << (size - 1).bit_length() if size else 1))
        made.cells[name] = (at, kind)
        at += size
    for one in arrays:
        if one.kind == "local":
            at = made.arrays[one.name] = _up(at, ALIGNMENT)
            at += int(np.prod(one.shape)) * itemsize_of_type(one.element)
    made.frame = _up(at, ALIGNMENT)
    if made.frame % _WAYS == 0:
        made.frame += ALIGNMENT * 4
    made.block_bytes = _up(made.frames + threads * made.frame, 64)
    return made


def _up(at: int, to: int) -> int:
    return -(-at // to) * to


def _kind(name: str, kinds: dict) -> Any:
    kind = kinds.get(name)
    if kind is None:
        raise Unplannable(
            "A name stands for values of different types while a thread waits.",
            name,
            "give each value its own name",
        )
    return kind


def type_text(kind: types.Type, name: str) -> str:
    """Return a Numba type as source text."""
    if isinstance(kind, (types.Number, types.Boolean)):
        return f"numba.types.{kind}" if not isinstance(kind, types.Boolean) else "numba.types.bool_"
    if isinstance(kind, types.Record):
        return f"numba.np.numpy_support.from_dtype({dtype_text(kind)})"
    if isinstance(kind, types.Array):
        element = type_text(kind.dtype, name)
        flags = f"readonly={not kind.mutable}, aligned={kind.aligned}"
        return f"numba.types.Array({element}, {kind.ndim}, {kind.layout!r}, {flags})"
    if isinstance(kind, types.BaseTuple) and not isinstance(kind, types.BaseNamedTuple):
        parts = [type_text(types.unliteral(part), name) for part in kind]
        if not any(isinstance(part, types.Array) for part in kind):
            return f"numba.types.Tuple(({''.join(part + ', ' for part in parts)}))"
    if isinstance(kind, types.NamedUniTuple) and kind.instance_class.__name__ in VECTORS:
        record = f"workbench.simt.library.vectors.VECTORS[{kind.instance_class.__name__!r}].record"
        return f"numba.types.NamedUniTuple({type_text(kind.dtype, name)}, {kind.count}, {record})"
    raise Unplannable(
        "A value lives while a thread waits that is neither a number, an array nor a tuple.",
        f"{name}: {kind}",
        "compute it again afterwards, or keep its parts in names of their own",
    )


# -- which names


def kept_between(flow: Flow, names: set[str]) -> dict[int, set[str]]:
    """Return what each state must load, and note at every jump what it must store.

    Parameters
    ----------
    flow : Flow
        Its jumps get `stored`.
    names : set of str
        The kernel's locals.
    """
    live: dict[int, set[str]] = {number: set() for number in flow.states}
    while True:
        before = sum(map(len, live.values()))
        for number, body in flow.states.items():
            live[number] |= _live(body, set(), live) & names
        if sum(map(len, live.values())) == before:
            break
    return {
        number: _loaded(body, set(), set(), live, names) & names
        for number, body in flow.states.items()
    }


def _live(body: list[ast.stmt], defined: set[str], live: dict[int, set[str]]) -> set[str]:
    """Return what this code, or what comes after it, may read before it is assigned."""
    needed, defined = exposed(body[:-1], defined)
    last = body[-1]
    if isinstance(last, End):
        return needed
    if isinstance(last, Jump):
        return needed | ((reads(last) | live[last.target]) - defined)
    needed |= reads(last.test) - defined
    return needed | _live(last.body, defined, live) | _live(last.orelse, defined, live)


def _loaded(body, defined, written, live, names) -> set[str]:
    needed, sure = exposed(body[:-1], defined)
    written, last = written | writes(body[:-1]), body[-1]
    if isinstance(last, End):
        return needed
    if isinstance(last, Jump):
        last.stored = frozenset(written & live[last.target] & names)
        return needed | ((reads(last) | last.stored) - sure)
    needed |= reads(last.test) - sure
    for branch in (last.body, last.orelse):
        needed |= _loaded(branch, set(sure), written, live, names) - sure
    return needed


def _kept(flow: Flow, loads: dict[int, set[str]]) -> set[str]:
    stored = {
        name
        for body in flow.states.values()
        for jump in jumps(body)
        for name in getattr(jump, "stored", ())
    }
    return stored | {name for names in loads.values() for name in names}
