"""Threads that wait for each other: who of them may go on, and what is said where none may.

A block waits at a barrier, a warp's lanes at a warp operation, the grid at a barrier of its own;
a group goes on when all its members have arrived, with what they exchanged.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportOptionalMemberAccess=false

from __future__ import annotations

from typing import Any

from workbench.simt import warp_ops
from workbench.simt.errors import BarrierDivergenceError, DeadlockError, KernelError
from workbench.simt.stepping.thread import Request, Thread


class Running:
    """One thread in flight."""

    __slots__ = ("done", "generator", "request", "result", "thread")

    def __init__(self, thread: Thread, generator: Any):
        self.thread, self.generator = thread, generator
        self.request: Request | None = None
        self.result: Any = None
        self.done = False

    @property
    def line(self) -> str:
        """Where the thread is, waiting or not."""
        frame = getattr(self.generator, "gi_frame", None)
        if self.request is None and frame is not None:
            return f" at line {frame.f_lineno}"
        return f" waits at line {self.request.line}" if self.request else ""

    @property
    def where(self) -> str:
        """The thread, and the line that it waits at."""
        line = f" at line {self.request.line}" if self.request else ""
        return f"{self.thread.describe()}{line}"


def release(resident: list[Running]) -> bool:
    """Let go every group whose members have all arrived; return whether any was."""
    released = False
    by_block: dict[tuple, list[Running]] = {}
    for one in resident:
        by_block.setdefault(one.thread.ctaid, []).append(one)
    if resident and all(one.request and one.request.kind == "grid" for one in resident):
        return _let_go(resident, [None] * len(resident))
    for members in by_block.values():
        waiting = [one for one in members if one.request and one.request.kind == "block"]
        if waiting and len(waiting) == len(members):
            released |= _release_block(waiting)
        else:
            released |= _release_warps(members)
    return released


def _release_block(waiting: list[Running]) -> bool:
    sites = {(one.request.name, one.request.line) for one in waiting}
    if len(sites) > 1:
        raise _divergence(waiting)
    combine = warp_ops.BLOCK_OPERATIONS[waiting[0].request.name]
    result = combine([one.request.operands[0] for one in waiting if one.request.operands])
    return _let_go(waiting, [result] * len(waiting))


def _release_warps(members: list[Running]) -> bool:
    released = False
    groups: dict[tuple, dict[int, Running]] = {}
    lanes_alive: dict[int, set[int]] = {}
    for one in members:
        lanes_alive.setdefault(one.thread.warp, set()).add(one.thread.laneid)
        if one.request and one.request.kind == "warp":
            mask = warp_ops.mask_of(one.request.name, one.request.operands)
            key = (one.thread.warp, one.request.name, one.request.line, mask)
            groups.setdefault(key, {})[one.thread.laneid] = one
    for (warp, name, _line, mask), lanes in groups.items():
        if name == "activemask":
            runnable = any(o.request is None for o in members if o.thread.warp == warp)
            if runnable:
                continue
        elif {lane for lane in lanes_alive[warp] if mask >> lane & 1} - set(lanes):
            continue
        results = warp_ops.WARP_OPERATIONS[name](
            {lane: one.request.operands for lane, one in sorted(lanes.items())}
        )
        released |= _let_go(list(lanes.values()), [results[lane] for lane in lanes])
    return released


def _let_go(waiting: list[Running], results: list) -> bool:
    for one, result in zip(waiting, results, strict=True):
        one.request, one.result = None, result
    return True


def _divergence(members: list[Running]) -> BarrierDivergenceError:
    first = members[0]
    other = next((one for one in members if one.request.line != first.request.line), members[-1])
    return BarrierDivergenceError(
        "Threads of one block wait at different barriers.",
        f"{first.where}, {other.where}",
        "move the barrier out of the branch, so that all threads of the block reach the same one",
    )


def stuck(resident: list[Running]) -> KernelError:
    """Return the error for threads of which none can go on."""
    waiting = [one for one in resident if one.request and one.request.kind == "block"]
    others = [one for one in resident if one not in waiting]
    if waiting and others:
        return BarrierDivergenceError(
            "Some threads wait at a barrier that others of their block never reach.",
            f"{waiting[0].where} waits; {others[0].where} waits elsewhere",
            "move the barrier out of the branch, so that all threads of the block reach it",
        )
    return DeadlockError(
        "Threads wait for each other for ever.",
        "; ".join(one.where for one in resident[:4]),
        "name in the mask exactly the lanes that reach the operation",
    )
