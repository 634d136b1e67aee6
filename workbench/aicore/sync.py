"""Explicit synchronisation: events between pipes, barriers, flags between units, all cores.

Pipes of one core run at the same time, each in its own order. `set_flag` puts a mark into the
source pipe's queue, behind what it has been given so far; `wait_flag` stops the target pipe until
the mark is reached. They come in pairs. It refuses events between pipes that no hardware joins.
"""

from __future__ import annotations

from workbench.aicore.findings import AICoreError
from workbench.aicore.machine import PIPE_INDEX, event_pipes
from workbench.aicore.recording import recorder
from workbench.errors import UnknownNameError

EVENT_IDS = range(8)


def block_idx() -> int:
    """Return which block this is, from 0."""
    return recorder().core


def block_num() -> int:
    """Return how many blocks were launched."""
    return recorder().cores


def share(length: int, step: int = 1) -> tuple[int, int]:
    """Return begin and end of this block's part of `length`, cut at multiples of `step`.

    The last blocks may have an empty part, where begin equals end.
    """
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

    In this model a pipe finishes each instruction before the next, so only ``"ALL"`` changes
    anything. The vendor's page for PipeBarrier asks for one between dependent instructions of a
    single pipe where the compiler does not insert it: keep that in mind on a board.
    """
    if pipe != "ALL":
        known = {name.partition(".")[2] for name in PIPE_INDEX}
        if pipe not in known:
            raise UnknownNameError("pipe", pipe, known | {"ALL"})
        return
    recorder().synchronise("barrier", "", "pipe_barrier")


def sync_all() -> None:
    """Let every core wait for all pipes of every other: the only order there is between cores."""
    one = recorder()
    one.synchronise("arrive", "", "sync_all")
    one.synchronise("leave", "", "sync_all")


def cross_core_set_flag(flag_id: int, pipe: str) -> None:
    """Mark, for the other unit of this block, that `pipe` (``"AIC.FIX"``) has come this far."""
    recorder().synchronise("set", _pipe(pipe), f"cross:{_event(flag_id)}", ("cross", flag_id))


def cross_core_wait_flag(flag_id: int, pipe: str) -> None:
    """Let `pipe` (``"AIV.MTE2"``) wait for the mark that the other unit of this block set."""
    recorder().synchronise("wait", _pipe(pipe), f"cross:{_event(flag_id)}", ("cross", flag_id))


def set_atomic_add() -> None:
    """Let the copies to global memory that follow add instead of replace."""
    recorder().atomic = True


def set_atomic_none() -> None:
    """Let the copies to global memory that follow replace again."""
    recorder().atomic = False


def _event(number: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number not in EVENT_IDS:
        raise AICoreError(
            "index",
            "There is no such event.",
            f"number {number!r}",
            f"{EVENT_IDS.start} to {EVENT_IDS.stop - 1}: hardware has eight for each pair of pipes",
        )
    return number


def _pipe(name: str) -> str:
    if name not in PIPE_INDEX:
        raise UnknownNameError("pipe", name, PIPE_INDEX)
    return name
