"""Explicit synchronisation: events between pipes, barriers, flags between units, all cores.

Pipes of one core run at the same time, each in its own order. `set_flag` puts a mark into the
source pipe's queue, behind what it has been given so far; `wait_flag` stops the target pipe until
the mark is reached. They come in pairs. It refuses events between pipes that no hardware joins.
"""

from __future__ import annotations

import reprlib

from workbench.aicore.findings import AICoreError
from workbench.aicore.machine import PIPES, UNIT_PIPES, event_pipes
from workbench.aicore.operations.arguments import whole
from workbench.aicore.recording.recorder import recorder
from workbench.errors import UnknownNameError

EVENT_IDS = range(8)
CROSS_IDS = range(11)  # flags between units: the vendor's page for CrossCoreSetFlag, 910B and 910C
_ONE_CORE = PIPES[: UNIT_PIPES["AIV"].stop]


def block_idx() -> int:
    """Return which block this is, from 0."""
    return recorder().core


def block_num() -> int:
    """Return how many blocks were launched."""
    return recorder().cores


def sub_block_idx() -> int:
    """Return which of its block's Vector cores this is; the Cube core sees 0."""
    return recorder().sub


def sub_block_num() -> int:
    """Return how many Vector cores each block has: 1, or what ``kernel(vector_cores=...)`` says."""
    return recorder().subs


def share(length: int, step: int = 1) -> tuple[int, int]:
    """Return begin and end of this block's part of `length`, cut at multiples of `step`.

    The last blocks may have an empty part, where begin equals end.
    """
    if not (whole(length) and whole(step)) or length < 0 or step < 1:
        raise AICoreError(
            "shape",
            "A share is cut from a whole length at multiples of a whole step.",
            f"share({reprlib.repr(length)}, {reprlib.repr(step)})",
            "a length of 0 or more and a step of 1 or more",
        )
    one = recorder()
    each = -(-length // (one.cores * step)) * step
    begin = min(one.core * each, length)
    return begin, min(begin + each, length)


def set_flag(event: str, event_id: int = 0) -> None:
    """Mark that the source pipe of `event` (``"MTE2_V"``: MTE2) has come this far."""
    source, _ = event_pipes(event)
    recorder().synchronise("set", source, f"{event}:{_event(event_id)}", ("event", event, event_id))


def wait_flag(event: str, event_id: int = 0) -> None:
    """Let the target pipe of `event` (``"MTE2_V"``: V) wait for the mark."""
    _, target = event_pipes(event)
    recorder().synchronise(
        "wait", target, f"{event}:{_event(event_id)}", ("event", event, event_id)
    )


def pipe_barrier(pipe: str = "ALL") -> None:
    """Let everything issued after wait for everything before: on one pipe, or on all of the core.

    Where Cube and Vector are cores of their own (910B, 910C), each waits for its own pipes only:
    between the two it takes `cross_core_set_flag`.

    In this model a pipe finishes each instruction before the next, so only ``"ALL"`` changes
    anything. The vendor's page for PipeBarrier asks for one between dependent instructions of a
    single pipe where the compiler does not insert it: keep that in mind on a board.
    """
    if pipe != "ALL":
        known = {name.partition(".")[2] for name in PIPES}
        if pipe not in known:
            raise UnknownNameError("pipe", pipe, known | {"ALL"})
        return
    one = recorder()
    for pipes in one.own_pipes:
        one.join("barrier", "pipe_barrier", pipes)


def sync_all() -> None:
    """Let every core wait for all pipes of every other: the only order there is between cores."""
    one = recorder()
    pipes = range(one.own_pipes[0].start, one.own_pipes[-1].stop)
    one.join("arrive", "sync_all", pipes)
    one.join("leave", "sync_all", pipes)


def cross_core_set_flag(flag_id: int, pipe: str) -> None:
    """Mark, for the other unit of this block, that `pipe` (``"AIC.FIX"``) has come this far.

    As the vendor's page for CrossCoreSetFlag says of mode 2: what the Cube sets, each of the
    block's Vector cores can wait for; what the Vector cores set, the Cube waits for from all.
    """
    _cross("set", flag_id, pipe, True)


def cross_core_wait_flag(flag_id: int, pipe: str) -> None:
    """Let `pipe` (``"AIV.MTE2"``) wait for the mark that the other unit of this block set."""
    _cross("wait", flag_id, pipe, False)


def _cross(kind: str, flag_id: int, pipe: str, sets: bool) -> None:
    one, name = recorder(), f"cross:{_event(flag_id, CROSS_IDS)}"
    if pipe not in _ONE_CORE:
        raise UnknownNameError("pipe", pipe, _ONE_CORE)
    on_cube = pipe.startswith("AIC")
    for other in range(one.subs) if on_cube else (one.sub,):
        one.synchronise(kind, pipe, name, ("cross", flag_id, on_cube == sets, other))


def set_atomic_add() -> None:
    """Let the copies to global memory that follow add instead of replace."""
    recorder().atomic = True


def set_atomic_none() -> None:
    """Let the copies to global memory that follow replace again."""
    recorder().atomic = False


def _event(number: int, known: range = EVENT_IDS) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number not in known:
        raise AICoreError(
            "index",
            "There is no such event.",
            f"number {reprlib.repr(number)}",
            f"{known.start} to {known.stop - 1}: the hardware has no more of this kind",
        )
    return number
