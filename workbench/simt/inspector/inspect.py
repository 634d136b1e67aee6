"""Run a launch once and report what it asks of a GPU's memory system."""

from __future__ import annotations

from typing import Any

from workbench.errors import InputError, UnavailableError
from workbench.hardware import Roofline, roofline
from workbench.simt.inspector.occupancy import Occupancy, occupancy
from workbench.simt.inspector.record import Recorder
from workbench.simt.inspector.report import AccessMetrics, InspectionReport, measure
from workbench.simt.inspector.timing import ModelledTime, Work, modelled_time
from workbench.simt.kernel import Launch, prepare
from workbench.simt.ptx import machine_code
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import TraceLaunch, Tracer


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
    resolved = launch.kernel.resolved
    code = machine_code(launch, *arguments, gpu=gpu) if exact else None
    registers = code.registers if code is not None else registers
    recorder = Recorder()
    given = prepare(resolved, arguments)
    task = TraceLaunch(launch.grid, launch.block, given, launch.shared_bytes)
    tracer = Tracer(Program(resolved, counting=True), task, recorder)
    tracer.run()
    accesses = tuple(measure(one) for one in recorder.requests.values() if one.space != "constant")
    fit = occupancy(gpu, launch.block.count, tracer.shared_bytes, registers)
    time, notes = _time(_work(launch, recorder, accesses), fit)
    return InspectionReport(
        launch.kernel.__name__,
        resolved.source.file_name,
        tuple(launch.grid),
        tuple(launch.block),
        tuple(sorted(accesses, key=lambda one: (one.line, one.text, one.kind))),
        dict(sorted(recorder.operations.items())),
        32 * len(recorder.sectors),
        tracer.shared_bytes,
        fit,
        _roofline(gpu),
        time,
        notes,
        code,
    )


def _work(launch: Launch, recorder: Recorder, accesses: tuple[AccessMetrics, ...]) -> Work:
    return Work(
        blocks=launch.grid.count,
        operations=sum(recorder.operations.values()),
        dram_bytes=32 * len(recorder.sectors),
        sectors=sum(one.sectors_per_request * one.requests for one in accesses),
        shared_turns=sum(one.bank_conflict_ways_mean * one.requests for one in accesses),
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
