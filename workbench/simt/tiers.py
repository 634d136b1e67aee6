"""Which tier runs a launch. The user can see the choice, and force it.

The first launch of few threads runs in lockstep, which starts at once, while the kernel is compiled
in the background; the second is compiled. What regions cannot hold (views that live across a
barrier, barriers over the whole grid, threads that wait for memory) is compiled as a state machine,
the irregular tier; where threads wait for memory the first launch waits for the compiler, because
lockstep cannot run it. What no compiler here takes runs in lockstep where that can, else step by
step, with the reason kept in ``kernel.reason``.
"""

# Syntax trees carry attributes of ours, and Numba is not typed.
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core.registry import cpu_target

from workbench.errors import UnknownNameError
from workbench.simt import irregular, lockstep, stepping
from workbench.simt.compiled import background, run
from workbench.simt.compiled.specialisation import Specialisation, specialisation
from workbench.simt.compiled.watch import Watch
from workbench.simt.errors import KernelSourceError
from workbench.simt.frontend.resolved import Resolved
from workbench.simt.host import launcher

# Numba loads its registries (half a second) at the first use: better here than in a launch.
cpu_target.target_context.refresh()

TIERS = ("auto", "lockstep", "compiled", "irregular", "step-through")
LOCKSTEP_THREADS = 10_000
"""First launches of fewer threads run in lockstep."""
_LOCKSTEP_S = 0.3
"""How long such a launch may take: after that, waiting for the compiler would have been shorter."""
_UNDO_BYTES = 1 << 30
"""What a launch that cannot be compiled may keep, to be undone."""


class _Settings:
    """What holds for every launch: the forced tier, the time limit, a replacement launcher."""

    tier = "auto"
    time_limit_s: float | None = None
    instead: Any = None


SETTINGS = _Settings()


@contextmanager
def tier(name: str) -> Iterator[None]:
    """Run the launches inside the context on one tier.

    Parameters
    ----------
    name : {"auto", "lockstep", "compiled", "irregular", "step-through"}
    """
    if name not in TIERS:
        raise UnknownNameError("tier", name, TIERS)
    before, SETTINGS.tier = SETTINGS.tier, name
    try:
        yield
    finally:
        SETTINGS.tier = before


def set_time_limit(seconds: float | None) -> None:
    """Stop every later launch that runs longer than this; None (the default) for no limit."""
    SETTINGS.time_limit_s = None if seconds is None else float(seconds)


def launch(kernel: Any, configured: Any, args: tuple) -> None:
    """Run a launch on the tier that fits."""
    kernel.last_block = configured.block
    if SETTINGS.instead is not None:
        SETTINGS.instead(kernel, configured, args)
    elif SETTINGS.tier == "step-through":
        _step(kernel, configured, args, "asked for")
    elif not isinstance(kernel.resolved, Resolved):
        _step(kernel, configured, args, "the kernel has no source to compile")
    elif SETTINGS.tier == "lockstep":
        _only_lockstep(kernel, configured, args)
    elif SETTINGS.tier == "irregular":
        _only_irregular(kernel, configured, args)
    else:
        _with_machine_code(kernel, configured, args)


def _with_machine_code(kernel: Any, configured: Any, args: tuple) -> None:
    found, is_new = specialisation(kernel, configured.block, args)
    auto = SETTINGS.tier == "auto"
    if is_new and auto and _answer_at_once(kernel, configured, args, found):
        return
    if found.ready().compiled is not None:
        _run(kernel, configured, args, found, "compiled", "")
    elif not auto:
        raise KernelSourceError(
            f"{kernel.__name__} cannot run on the compiled tier.",
            found.reason,
            "leave the choice to the engine: cuda.tier('auto')",
        )
    elif found.machine is not None:
        _run(kernel, configured, args, found, "irregular", found.reason)
    else:
        reason = f"{found.reason}; as a state machine: {found.machine_reason}"
        _uncompiled(kernel, configured, args, reason)


def _run(
    kernel: Any, configured: Any, args: tuple, found: Specialisation, tier: str, reason: str
) -> None:
    """Run machine code: on a launcher thread, unless the launch is known to be too short for it."""
    shared_bytes, limit_s, pace = configured.shared_bytes, SETTINGS.time_limit_s, found.pace
    key = pace.key(configured.grid, args, shared_bytes)
    short = key in pace.short
    kernel.last_tier, kernel.reason = tier, reason
    kernel.last_thread = "caller" if short else "launcher"
    started = time.perf_counter()
    grid = configured.grid
    if tier == "compiled" and found.compiled is not None:
        run.run(found.compiled, grid, args, (), shared_bytes, limit_s, inline=short)
    elif found.machine is not None:
        irregular.run(found.machine, grid, args, shared_bytes, limit_s, inline=short)
    if not short:
        pace.took(key, time.perf_counter() - started)


def _answer_at_once(kernel: Any, configured: Any, args: tuple, found: Specialisation) -> bool:
    """Run a first launch of few threads in lockstep, if that can be; return whether it was."""
    few = configured.grid.count * configured.block.count < LOCKSTEP_THREADS
    if not few or kernel.options.get("debug"):
        return False
    if lockstep.refusal(kernel.resolved) or found.is_on_disk():
        return False
    try:
        with background.resting():
            _in_lockstep(kernel, configured, args, _at_most(_LOCKSTEP_S))
    except lockstep.CannotLockstep:
        return False
    kernel.last_tier, kernel.reason = "lockstep", "the first launch, while the compiler works"
    background.later(found.make)
    return True


def _at_most(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def poll() -> None:
        if time.monotonic() > end:
            raise lockstep.CannotLockstep(f"it takes more than {seconds:g} s in lockstep")

    return poll


def _in_lockstep(
    kernel: Any, configured: Any, args: tuple, poll: Any, undo_bytes: int | None = None
) -> None:
    watch, kernel.last_thread = Watch(SETTINGS.time_limit_s), "launcher"

    def both() -> None:
        if poll is not None:
            poll()
        if not watch.asks():
            raise lockstep.Halted

    def job() -> None:
        given = (kernel.resolved, configured.grid, configured.block, args, configured.shared_bytes)
        keep = {} if undo_bytes is None else {"undo_bytes": undo_bytes}
        lockstep.launch(*given, both, **keep)

    state = "it had just ended"
    try:
        launcher.perform([job], watch.stop)
    except lockstep.Halted as halted:
        state = str(halted)
    except launcher.StillRunning:
        raise watch.left_alone() from None
    if watch.error is not None:
        raise watch.ended(state)


def _uncompiled(kernel: Any, configured: Any, args: tuple, reason: str) -> None:
    """Run what no region can hold: in lockstep where that can, else step by step."""
    refused = lockstep.refusal(kernel.resolved)
    if not refused:
        try:
            _in_lockstep(kernel, configured, args, None, _UNDO_BYTES)
            kernel.last_tier, kernel.reason = "lockstep", reason
            return
        except lockstep.CannotLockstep as error:
            refused = str(error)
    _step(kernel, configured, args, f"{reason}; in lockstep: {refused}")


def _only_irregular(kernel: Any, configured: Any, args: tuple) -> None:
    found, _ = specialisation(kernel, configured.block, args)
    if found.as_machine() is None:
        raise KernelSourceError(
            f"{kernel.__name__} cannot run on the irregular tier.",
            found.machine_reason,
            "leave the choice to the engine: cuda.tier('auto')",
        )
    _run(kernel, configured, args, found, "irregular", "asked for")


def _only_lockstep(kernel: Any, configured: Any, args: tuple) -> None:
    refused = lockstep.refusal(kernel.resolved)
    try:
        if not refused:
            _in_lockstep(kernel, configured, args, None, _UNDO_BYTES)
    except lockstep.CannotLockstep as error:
        refused = str(error)
    if refused:
        raise KernelSourceError(
            f"{kernel.__name__} cannot run in lockstep.",
            refused,
            "leave the choice to the engine: cuda.tier('auto')",
        )
    kernel.last_tier, kernel.reason = "lockstep", "asked for"


def _step(kernel: Any, configured: Any, args: tuple, reason: str) -> None:
    kernel.last_tier, kernel.reason, kernel.last_thread = "step-through", reason, "caller"
    poll = stepping.deadline(SETTINGS.time_limit_s)
    stepping.launch(
        kernel.resolved, configured.grid, configured.block, args, configured.shared_bytes, poll
    )
