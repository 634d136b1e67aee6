"""Sanitizing at compiled speed: the kernel's regions with shadow memory, then a precise replay.

Races and reads of unwritten elements are told from the stamps alone. For an index outside its
array and for barriers that some never reach, the block where it happened is replayed by the tracer
on the saved inputs, which names index, values and lines.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from workbench.simt.codegen.declared import declared_arrays
from workbench.simt.codegen.instrument import (
    Unwatchable,
    refuse_arguments,
    refuse_hints,
    with_arrays_in_sight,
)
from workbench.simt.codegen.names import Names
from workbench.simt.compiled import build, run
from workbench.simt.compiled.specialisation import signature_key
from workbench.simt.errors import BarrierDivergenceError, KernelSourceError, OutOfBoundsError
from workbench.simt.kernel import Launch
from workbench.simt.sanitizer import sentences, table
from workbench.simt.sanitizer.elements import Place, element
from workbench.simt.sanitizer.findings import Finding, FindingKind, Party
from workbench.simt.sanitizer.mode import SanitizerMode, refuse_other_orders
from workbench.simt.sanitizer.table import Row, Seen
from workbench.simt.sanitizer.watch import Sanitizer, listing_line
from workbench.simt.tiers import SETTINGS
from workbench.simt.trace.program import Program
from workbench.simt.trace.scheduler import TraceLaunch, Tracer

_PARALLEL_THREADS = 1 << 14
_MOST_REPLAYS = 3
_RACES = (Seen.READ_AFTER_WRITE, Seen.WRITE_AFTER_WRITE, Seen.WRITE_SAME_VALUE,
          Seen.WRITE_AFTER_READ)  # fmt: skip
_REPLAYED = (Seen.OUTSIDE, Seen.WRAPPED, Seen.LEFT_BEFORE_BARRIER, Seen.WARP_APART)
_DOES = {
    Seen.READ_AFTER_WRITE: ("writes", "reads"),
    Seen.WRITE_AFTER_WRITE: ("writes", "writes"),
    Seen.WRITE_SAME_VALUE: ("writes", "writes"),
    Seen.WRITE_AFTER_READ: ("reads", "writes"),
}


def sanitize_compiled(launch: Launch, arguments: tuple[Any, ...]) -> list[Finding]:
    """Run a launch with shadow memory and return what is wrong with it.

    Parameters
    ----------
    launch : Launch
    arguments : tuple
        As `prepare` returns them; written to.

    Raises
    ------
    Unwatchable
        Where the kernel needs the tracer.
    """
    named = dict(zip(launch.kernel.resolved.source.parameters, arguments, strict=True))
    refuse_arguments(named)
    mode, compiled = _compiled(launch, arguments)
    watched = _written(launch, named, mode)
    sites = compiled.module.sites
    workers = 1
    if launch.grid.count * launch.block.count >= _PARALLEL_THREADS:
        workers = 1 if mode.fences else min(run.cores(), launch.grid.count)
    orders = np.zeros(1 + launch.grid.count if mode.fences else 0, np.int64)
    atomics = [False, *(site["kind"] == "atomic" for site in sites)]
    tables = table.new_tables(workers, atomics, orders.ctypes.data if mode.fences else 0)
    shadows = [np.zeros(mode.planes(n) * named[n].size, np.int64) for n in mode.watched]
    before = tuple(_copy(one, name in watched) for name, one in named.items())
    diverged = False
    try:
        extra = (*shadows, *([orders] * mode.fences), tables, workers)
        limit_s = SETTINGS.time_limit_s
        run.run(compiled, launch.grid, arguments, extra, launch.shared_bytes, limit_s, workers)
    except BarrierDivergenceError:
        diverged = True
    except OutOfBoundsError as error:  # a view, which has no stamp: the tracer can say more
        for one, old in zip(arguments, before, strict=True):
            if isinstance(one, np.ndarray):
                one[...] = old
        raise Unwatchable("a view begins outside its array") from error
    return _Reading(launch, sites, mode, before, diverged).findings(tables)


def _written(launch: Launch, named: dict[str, Any], mode: SanitizerMode) -> set[str]:
    """Return the arrays that the kernel writes; refuse what stamps cannot describe."""
    arrays = {name: one for name, one in named.items() if isinstance(one, np.ndarray)}
    written = mode.written & set(arrays)
    for name in written:
        for other, array in arrays.items():
            if other != name and np.may_share_memory(arrays[name], array):
                raise Unwatchable(f"{name} and {other} share memory")
    if launch.grid.count > table.MOST_BLOCKS or len(mode.normal.sites) > table.MOST_SITES:
        raise Unwatchable("the launch or the kernel is too large for the stamps")
    return written


def _compiled(launch: Launch, arguments: tuple[Any, ...]) -> tuple[SanitizerMode, build.Compiled]:
    kernel = launch.kernel
    flat = tuple(extent == 1 for extent in launch.grid)
    key = ("sanitize", launch.block, flat, signature_key(arguments))
    if key not in kernel.specialisations:
        resolved = kernel.resolved
        named = zip(resolved.source.parameters, arguments, strict=True)
        ranks = {name: one.ndim for name, one in named if isinstance(one, np.ndarray)}
        kinds = tuple(numba.typeof(one) for one in arguments)
        try:
            refuse_hints(resolved)
            resolved = with_arrays_in_sight(resolved)
            refuse_other_orders(resolved)
            mode = SanitizerMode(resolved, ranks, tuple(launch.block), flat)
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


def _copy(value: Any, written: bool) -> Any:
    return value.copy() if written else value


class _Reading:
    """Turns the tables of a launch into findings."""

    def __init__(self, launch: Launch, sites: list[dict], mode: SanitizerMode, before: tuple,
                 diverged: bool):  # fmt: skip
        self.launch, self.sites, self.mode = launch, sites, mode
        self.before, self.diverged = before, diverged
        names = launch.kernel.resolved.source.parameters
        self.declared = {one.name for one in mode.normal.declarations}
        arrays = [(n, one) for n, one in zip(names, before, strict=True)
                  if isinstance(one, np.ndarray)]  # fmt: skip
        self.shapes = {name: one.shape for name, one in arrays}
        self.dtypes = {name: one.dtype.name for name, one in arrays}

    def findings(self, tables: np.ndarray) -> list[Finding]:
        """Return what the tables hold."""
        seen = [(Seen(kind), row) for one in tables for kind, row in _rows(table.rows_of(one))]
        if not seen:
            return []
        for one in declared_arrays(self.mode.normal, Names()):
            self.shapes[one.name] = (self.launch.shared_bytes,) if one.dynamic else one.shape
            self.dtypes[one.name] = str(one.element)
        races = [(kind, row) for kind, row in seen if kind in _RACES]
        found = self._conflicts(races)
        raced = {one.array for one in found if any(p.does != "writes" for p in one.threads)}
        kept: dict[tuple, Finding] = {}
        for kind, row in seen:
            if kind == Seen.UNWRITTEN:
                one = self._unwritten(row)
                if one.array not in raced:
                    kept.setdefault((one.array, one.line), one)
        blocks = {int(row[Row.LATER]) >> table.BLOCK_SHIFT for k, row in seen if k in _REPLAYED}
        return [*found, *kept.values(), *self._replay(sorted(blocks))]

    def _site(self, stamp: int) -> dict:
        return self.sites[(stamp & table.SITE_MASK) - 1]

    def _party(self, stamp: int, does: str, value: Any) -> Party:
        site = self._site(stamp)
        if site["kind"] == "atomic":
            does, value = "atomically updates", None
        thread = run.thread_of((stamp >> table.SITE_BITS) & table.THREAD_MASK, self.launch.block)
        block = run.thread_of((stamp >> table.BLOCK_SHIFT) - 1, tuple(self.launch.grid))
        text = listing_line(site["file_name"], site["line"])
        return Party(block, thread, does, value, site["line"], site["file_name"], text)

    def _called(self, array: str, site: dict) -> str:
        """Return the name that the learner gave an array."""
        written = site["text"].partition("[")[0]
        return written if array in self.declared and array.endswith(f"_{written}") else array

    def _index(self, array: str, element: int) -> tuple[int, ...]:
        return tuple(int(one) for one in np.unravel_index(element, self.shapes[array]))

    def _space(self, array: str) -> str:
        space = self.mode.spaces.get(array, "global")
        return "global" if space == "plain" else space

    def _unwritten(self, row: np.ndarray) -> Finding:
        stamp = int(row[Row.LATER])
        array = self.mode.root(self._site(stamp)["array"])
        value = _number(row[Row.NEW : Row.NEW + 1].view(np.float64)[0], self.dtypes[array])
        party = self._party(stamp, "reads", value)
        index = self._index(array, int(row[Row.ELEMENT]))
        called = self._called(array, self._site(stamp))
        place = Place(element(called, index), called, self._space(array), index)
        return sentences.uninitialised(party, place)

    def _conflicts(self, races: list[tuple[Seen, np.ndarray]]) -> list[Finding]:
        groups: dict[tuple, list[tuple[Seen, np.ndarray]]] = {}
        for kind, row in races:
            first, second = (self._site(int(row[k])) for k in (Row.EARLIER, Row.LATER))
            mixed = "atomic" in (first["kind"], second["kind"])
            lines = tuple(sorted((first["line"], second["line"])))
            groups.setdefault((mixed, self.mode.root(second["array"]), lines), []).append(
                (kind, row)
            )
        return [self._conflict(mixed, array, rows) for (mixed, array, _), rows in groups.items()]

    def _conflict(self, mixed: bool, array: str, rows: list[tuple[Seen, np.ndarray]]) -> Finding:
        worst = min(rows, key=lambda one: (one[0] == Seen.WRITE_SAME_VALUE, -one[1][1]))
        kind, row = worst
        old, new = row[Row.OLD : Row.SIZE - 1].view(np.float64)
        earlier, later = int(row[Row.EARLIER]), int(row[Row.LATER])
        does = _DOES[kind]
        dtype = self.dtypes[array]
        first = self._party(earlier, does[0], _number(old, dtype))
        value = _number(old if kind == Seen.READ_AFTER_WRITE else new, dtype)
        second = self._party(later, does[1], value)
        both = any(k in (Seen.WRITE_AFTER_WRITE, Seen.WRITE_SAME_VALUE) for k, _ in rows)
        found = sentences.kind_of(
            mixed, not any(r[Row.ACROSS_WARPS] for _, r in rows), first.line == second.line, both
        )
        index = self._index(array, int(row[Row.ELEMENT]))
        same_value = all(k == Seen.WRITE_SAME_VALUE for k, _ in rows) and not mixed
        called = self._called(array, self._site(later))
        name = element(called, index)
        return sentences.conflict(found, sentences.Clash(
            first, second, (name, name), called, self._space(array),
            dtype, index, same_value, both, int(sum(r[Row.COUNT] for _, r in rows)),
        ))  # fmt: skip

    def _replay(self, blocks: list[int]) -> list[Finding]:
        """Trace single blocks on the saved inputs, for what stamps cannot tell."""
        found: dict[tuple, Finding] = {}
        resolved = self.launch.kernel.resolved
        told = {FindingKind.RACE, FindingKind.MIXED_ATOMIC, FindingKind.MISSING_SYNCWARP,
                FindingKind.UNINITIALISED}  # fmt: skip
        for block in blocks[:_MOST_REPLAYS]:
            watcher = Sanitizer()
            given = tuple(_copy(one, isinstance(one, np.ndarray)) for one in self.before)
            task = TraceLaunch(self.launch.grid, self.launch.block, given, self.launch.shared_bytes)
            Tracer(Program(resolved), task, watcher).run(only=[block - 1])
            for one in watcher.findings():
                if one.kind not in told:
                    found.setdefault((one.kind, one.array, one.lines), one)
        return list(found.values())


def _rows(rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
    places = np.argwhere(rows[..., Row.COUNT])
    return [(int(kind), rows[kind, a, b]) for kind, a, b in places]


def _number(value: float, dtype: str) -> Any:
    whole = not dtype.startswith("float") and np.isfinite(value)
    return int(value) if whole else float(value)
