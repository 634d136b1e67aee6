"""Recording a kernel: plain Python runs once for each core and leaves a list of instructions.

The kernel's Python is the scalar unit: it loops, computes addresses and issues instructions, each
to the queue of one pipe. Nothing is computed while recording; the three readings (values, hazards,
time) come afterwards and all read the same `Recording`. Every instruction knows its pipe, the
tensors that it reads and writes, its cost and the line that issued it. It refuses endless kernels:
instructions and seconds are limited.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from workbench.aicore.findings import AICoreError, HazardError
from workbench.aicore.machine import UNIT_PIPES, Chip
from workbench.aicore.readings.costs import Costs
from workbench.aicore.recording.instructions import ArrayInfo, Instruction, Limits, Recording
from workbench.aicore.recording.interleave import interleaved
from workbench.aicore.recording.lines import deadline, raised_at
from workbench.aicore.recording.recorder import Recorder, running
from workbench.errors import InputError, WorkbenchError

_CUBE_PIPES = UNIT_PIPES["AIC"].stop


def record(
    function: Callable[..., None],
    args: Sequence[Any],
    arrays: tuple[ArrayInfo, ...],
    chip: Chip,
    cores: int,
    costs: Costs,
    limits: Limits,
    *,
    subs: int = 1,
    only: Sequence[int] | None = None,
    sink: Callable[[Instruction], None] | None = None,
) -> Recording:
    """Run a kernel's Python for each core and return what it issued.

    Parameters
    ----------
    subs : int
        Vector cores of each block.
    only : sequence of int, optional
        Cores to record; all by default.
    sink : callable, optional
        Receives each instruction instead of the recording (for runs too long to keep).

    Raises
    ------
    AICoreError
        With the line, for whatever the kernel may not do.
    """
    if subs > 1 and chip.coupled:
        raise InputError(
            "A block of this chip has no second Vector core.",
            f"{chip.title} has Cube and Vector in one core",
            "a kernel without vector_cores=2, or a 910B or 910C",
        )
    name = getattr(function, "__name__", "kernel")
    recording = Recording(name, chip, cores, arrays)
    with deadline(limits, function) as watch:
        for core in range(cores) if only is None else only:
            programs = _block(function, args, (core, cores), subs, watch, recording, costs, sink)
            if sink is None:
                recording.programs += programs
            elif subs > 1:
                for issued in interleaved(programs):
                    sink(issued)
    return recording


def _block(function, args, core, subs, watch, recording, costs, sink) -> list[list[Instruction]]:
    """Run the kernel's Python for one block, once for each of its Vector cores."""
    at_once = sink if subs == 1 else None
    programs: list[list[Instruction]] = []
    for sub in range(subs):
        programs.append([])
        into = at_once or programs[-1].append
        kept = recording.size + sum(map(len, programs))
        room = math.inf if sink else watch.limits.kept - kept
        one = Recorder(recording, core, (sub, subs), costs, watch.limits, into, room)
        one.traced = at_once is None
        watch.over(one)
        _run(function, args, one)
        _check_cores(one)
        _keep(recording, one)
        if one.skipped > sum(0 <= issued.pipe < _CUBE_PIPES for issued in programs[0]):
            last = one.last_skipped
            raise AICoreError(
                "position",
                "The Cube core is given work where only the second Vector core comes.",
                "the Cube core sees sub_block_idx() == 0, as on the chip",
                "put it outside of the condition",
                (last.site,) if last else (),
            )
    return programs


def _keep(recording: Recording, one: Recorder) -> None:
    """Add what a scalar unit gave out, and what it forgot to give back."""
    mine = [queue for queue in one.queues if not one.sub or queue.position.buffer == "UB"]
    recording.placements += one.placements
    recording.findings += [leak for queue in mine for leak in queue.leaks(one.core)]


def _run(function: Callable[..., None], args: Sequence[Any], one: Recorder) -> None:
    try:
        with running(one):
            function(*args)
    except (AICoreError, HazardError) as error:
        if isinstance(error, AICoreError) and not error.sites:
            error.sites = (raised_at(error, one.core),)
        raise
    except WorkbenchError as error:
        where = f"at {raised_at(error, one.core)}"
        error.saw = f"{error.saw}; {where}" if error.saw else where
        raise
    except Exception as error:
        raise AICoreError(
            "kernel",
            f"The kernel raised {type(error).__name__} on core {one.core} of {one.cores}.",
            str(error),
            "nothing was written to the outputs; mend the line below",
            (raised_at(error, one.core),),
        ) from error


def _check_cores(one: Recorder) -> None:
    """Refuse more blocks than the units that the kernel used."""
    counts = {"AIC": one.chip.cube_cores, "AIV": one.chip.vector_cores}
    if "AIC" in one.units and not one.coupled:
        limit, what = counts["AIC"], "Cube cores"
    else:
        limit, what = counts["AIV"], "Vector cores"
        if limit is not None and one.subs > 1:
            limit, what = limit // one.subs, f"blocks of {one.subs} Vector cores"
    if limit is not None and one.cores > limit:
        raise InputError(
            "More blocks were launched than the chip has cores.",
            f"{one.cores} blocks; {one.chip.title} has {limit} {what}",
            f"launch at most {limit}, and let each block loop over its share",
        )
