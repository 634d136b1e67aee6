"""Inspecting at compiled speed: every request of every block, counted as the kernel runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from workbench.simt.codegen.instrument import (
    Unwatchable,
    refuse_arguments,
    refuse_hints,
    with_arrays_in_sight,
)
from workbench.simt.compiled import build, run
from workbench.simt.compiled.specialisation import signature_key
from workbench.simt.errors import KernelSourceError, OutOfBoundsError
from workbench.simt.inspector.counters import MOST_VISITS, Word
from workbench.simt.inspector.metrics import SECTOR_BYTES
from workbench.simt.inspector.mode import InspectorMode, mark_bytes
from workbench.simt.inspector.report import AccessMetrics
from workbench.simt.kernel import Launch
from workbench.simt.tiers import SETTINGS

_PARALLEL_THREADS = 1 << 14


@dataclass(frozen=True)
class Counted:
    """What was counted.

    Attributes
    ----------
    accesses : list of AccessMetrics
    operations : dict of int to int
        Floating-point operations by line.
    sectors : int
        Different sectors of global memory that are read, plus those that are written.
    shared_bytes : int
        Shared memory of a block.
    """

    accesses: list[AccessMetrics]
    operations: dict[int, int]
    sectors: int
    shared_bytes: int


def count_compiled(launch: Launch, arguments: tuple[Any, ...]) -> Counted:
    """Run a launch with counters.

    Raises
    ------
    Unwatchable
        Where the kernel needs the tracer.
    OutOfBoundsError
        Where the kernel leaves its arrays.
    """
    resolved = launch.kernel.resolved
    named = dict(zip(resolved.source.parameters, arguments, strict=True))
    refuse_arguments(named)
    mode, compiled = _compiled(launch, arguments)
    workers = 1
    if launch.grid.count * launch.block.count >= _PARALLEL_THREADS:
        workers = min(run.cores(), launch.grid.count)
    marks = {n: np.zeros(2 * mark_bytes(one.nbytes), np.uint8) for n, one in named.items()
             if isinstance(one, np.ndarray)}  # fmt: skip
    tables = np.zeros((workers, mode.table_words), np.int64)
    buffers = np.zeros((workers, mode.buffer_words), np.int64)
    kept = {n: named[n].copy() for n in mode.written & set(marks)} if mode.looped else {}
    extra = (*(marks[name] for name in mode.arrays), tables, buffers, workers)
    run.run(
        compiled, launch.grid, arguments, extra, launch.shared_bytes, SETTINGS.time_limit_s, workers
    )
    if (tables[:, 0] == 2).any():
        for name, old in kept.items():  # whoever counts next runs the kernel again
            named[name][...] = old
        raise Unwatchable(f"a thread comes by one place more than {MOST_VISITS} times")
    _check(launch, tables)
    total = tables.sum(axis=0)
    records = tables[:, 1 : mode.operations_at].reshape(workers, mode.places, Word.SIZE)
    operations = total[mode.operations_at : mode.visits_at]
    return Counted(
        [
            _metrics(site, number, records[:, number], mode)
            for number, site in enumerate(compiled.module.sites, 1)
            if records[:, number, Word.REQUESTS].any()
        ],
        {line: int(operations[at]) for line, at in mode.lines.items() if operations[at]},
        sum(int(np.count_nonzero(one)) for one in marks.values()),
        compiled.module.shared_bytes + (launch.shared_bytes if compiled.module.uses_dynamic else 0),
    )


def _compiled(launch: Launch, arguments: tuple[Any, ...]) -> tuple[InspectorMode, build.Compiled]:
    kernel = launch.kernel
    key = ("inspect", launch.block, signature_key(arguments))
    if key not in kernel.specialisations:
        resolved = kernel.resolved
        named = zip(resolved.source.parameters, arguments, strict=True)
        ranks = {name: one.ndim for name, one in named if isinstance(one, np.ndarray)}
        kinds = tuple(numba.typeof(one) for one in arguments)
        try:
            refuse_hints(resolved)
            resolved = with_arrays_in_sight(resolved, arithmetic=True)
            mode = InspectorMode(resolved, ranks, launch.block.count)
            found = mode, build.build(resolved, kinds, tuple(launch.block), mode)
        except KernelSourceError as error:
            found = Unwatchable(error.happened)
        except Unwatchable as error:
            found = error
        kernel.specialisations[key] = found
    found = kernel.specialisations[key]
    if isinstance(found, Unwatchable):
        raise found
    return found


def _check(launch: Launch, tables: np.ndarray) -> None:
    if (tables[:, 0] == 1).any():
        raise OutOfBoundsError(
            "A kernel that leaves its arrays cannot be inspected.",
            f"{launch.kernel.__name__} used an index outside an array",
            "sanitize the launch first: it names the thread, the line and the index",
        )


def _metrics(site: dict, number: int, records: np.ndarray, mode: InspectorMode) -> AccessMetrics:
    total, most = records.sum(axis=0), records.max(axis=0)
    requests, lanes = int(total[Word.REQUESTS]), int(total[Word.LANES])
    itemsize = int(most[Word.ITEMSIZE])
    array = mode.root(site["array"])
    space = mode.spaces[array]
    asked = lanes * itemsize
    is_global = space == "global"
    return AccessMetrics(
        site["line"], site["text"], array, space, site["kind"], itemsize, requests,
        lanes / max(1, int(total[Word.PRESENT])), asked,
        int(total[Word.SECTORS]) * SECTOR_BYTES if is_global else asked,
        total[Word.SECTORS] / requests if is_global else 0.0,
        int(most[Word.MOST_WAYS]), total[Word.WAYS] / requests, int(most[Word.CONTENTION]),
    )  # fmt: skip
