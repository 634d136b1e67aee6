"""Run a launch once and report what it asks of a GPU's memory system."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from workbench.errors import InputError, UnavailableError
from workbench.hardware import Roofline, roofline
from workbench.simt.codegen.instrument import Unwatchable
from workbench.simt.host.arguments import prepare
from workbench.simt.inspector.compiled import Counted, count_compiled
from workbench.simt.inspector.occupancy import Occupancy, occupancy
from workbench.simt.inspector.record import Recorder
from workbench.simt.inspector.report import InspectionReport, measure
from workbench.simt.inspector.timing import ModelledTime, Work, modelled_time
from workbench.simt.kernel import Launch
from workbench.simt.ptx import machine_code
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import TraceLaunch, Tracer

TRACED_THREADS = 4096
"""Launches up to this size are traced: that is done before a compiler has begun."""
SAMPLED_BLOCKS = 8
"""Blocks traced of a larger launch that counters cannot describe."""


def inspect(
    launch: Launch,
    *arguments: Any,
    gpu: str = "nvidia_h100",
    registers: int | None = None,
    exact: bool = False,
) -> InspectionReport:
    """Run ``kernel[grid, block]`` on `arguments` and report its memory behaviour.

    Parameters
    ----------
    launch : Launch
        A configured kernel: ``kernel[grid, block]``.
    *arguments
        As for a launch. Outputs are written as by a launch.
    gpu : str
        Data sheet for occupancy, roofline and the modelled time.
    registers : int, optional
        Registers of a thread, as ``ptxas`` reports them, for an exact occupancy.
    exact : bool
        Compile the kernel for `gpu` with Nvidia's own compiler (the ``ptx`` extra), take the
        registers from there, and keep PTX and SASS beside the source lines.

    Returns
    -------
    InspectionReport
        Its notes say where only some blocks were watched.

    Raises
    ------
    InputError
        Where `launch` is not a configured kernel.
    OutOfBoundsError
        Where the kernel leaves its arrays.
    UnavailableError
        Where `exact` is asked for without the ``ptx`` extra.
    """
    if not isinstance(launch, Launch):
        raise InputError(
            "Only a configured kernel can be inspected.",
            f"a {type(launch).__name__}",
            "inspect(kernel[blocks, threads], *arguments)",
        )
    code = machine_code(launch, *arguments, gpu=gpu) if exact else None
    counted, notes = _count(launch, prepare(launch.kernel.resolved, arguments))
    fit = occupancy(
        gpu, launch.block.count, counted.shared_bytes, code.registers if code else registers
    )
    time, untimed = _time(_work(launch, counted), fit)
    return InspectionReport(
        launch.kernel.__name__,
        launch.kernel.resolved.source.file_name,
        tuple(launch.grid),
        tuple(launch.block),
        tuple(sorted(counted.accesses, key=lambda one: (one.line, one.text, one.kind))),
        counted.operations,
        32 * counted.sectors,
        counted.shared_bytes,
        fit,
        _roofline(gpu),
        time,
        (*notes, *untimed),
        code,
    )


def _count(launch: Launch, given: tuple[Any, ...]) -> tuple[Counted, tuple[str, ...]]:
    """Return what the launch asks for, counted by whoever can."""
    if launch.grid.count * launch.block.count <= TRACED_THREADS:
        return _traced(launch, given, None), ()
    try:
        return count_compiled(launch, given), ()
    except Unwatchable as reason:
        return _sampled(launch, given, str(reason))


def _sampled(
    launch: Launch, given: tuple[Any, ...], reason: str
) -> tuple[Counted, tuple[str, ...]]:
    blocks = launch.grid.count
    count = min(SAMPLED_BLOCKS, blocks)
    chosen = sorted({round(k * (blocks - 1) / max(1, count - 1)) for k in range(count)})
    copies = tuple(one.copy() if isinstance(one, np.ndarray) else one for one in given)
    part = _traced(launch, copies, chosen)
    launch(*given)
    times = blocks / len(chosen)
    scaled = [
        replace(
            one,
            requests=round(one.requests * times),
            bytes_asked=round(one.bytes_asked * times),
            bytes_moved=round(one.bytes_moved * times),
        )
        for one in part.accesses
    ]
    operations = {line: round(number * times) for line, number in part.operations.items()}
    note = (
        f"watched {len(chosen)} of {blocks} blocks, counts are scaled: {reason}; bytes that "
        "blocks share are counted for each"
    )
    return Counted(scaled, operations, round(part.sectors * times), part.shared_bytes), (note,)


def _traced(launch: Launch, given: tuple[Any, ...], only: list[int] | None) -> Counted:
    recorder = Recorder()
    task = TraceLaunch(launch.grid, launch.block, given, launch.shared_bytes)
    tracer = Tracer(Program(launch.kernel.resolved, counting=True), task, recorder)
    tracer.run(only)
    accesses = [measure(one) for one in recorder.requests.values() if one.space in _SHOWN]
    operations = dict(sorted(recorder.operations.items()))
    return Counted(accesses, operations, len(recorder.sectors), tracer.shared_bytes)


_SHOWN = ("global", "shared")


def _work(launch: Launch, counted: Counted) -> Work:
    return Work(
        blocks=launch.grid.count,
        operations=sum(counted.operations.values()),
        dram_bytes=32 * counted.sectors,
        sectors=sum(one.sectors_per_request * one.requests for one in counted.accesses),
        shared_turns=sum(one.bank_conflict_ways_mean * one.requests for one in counted.accesses),
    )


def _time(work: Work, fit: Occupancy) -> tuple[ModelledTime | None, tuple[str, ...]]:
    try:
        return modelled_time(work, fit), ()
    except UnavailableError as error:
        return None, (f"no modelled time: {error.happened} {error.saw}",)


def _roofline(gpu: str) -> Roofline | None:
    try:
        return roofline(gpu, "float32")
    except UnavailableError:  # the note beside the missing time says what the sheet lacks
        return None
