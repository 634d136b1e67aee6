"""Walk problems over sizes and targets, one race after the other, and lose nothing on the way.

Each cell (a problem at a size) is one `RaceSession` over every target that can run it, in a child
process of its own, kept in the store while it is measured. A sweep has a name: started again under
the same name it skips the cells in which every target that it wants was measured, on this machine,
in the same way (batch, cache, threads) and for at least as long. It tells listeners what happens
as plain dictionaries, so that a notebook, a widget or the command line can follow it live.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from typing import Any

from workbench import catalog
from workbench.bench import fingerprint
from workbench.bench.arguments import listed, require_setup
from workbench.bench.conductor import SURE
from workbench.bench.records import Run
from workbench.bench.session import RaceSession
from workbench.bench.store import Store
from workbench.errors import DataFileError, InputError, StoppedError, WorkbenchError
from workbench.problem import require_size

ENDED = "time is up"
ALIKE = {"batch": 1, "cache": "warm", "threads": 1}
"""The options of a race that tell one measurement from another, and their usual values."""


@dataclass(frozen=True)
class Cell:
    """One problem at one size."""

    problem: str
    size: int


class Sweep:
    """A named walk over problems, sizes and targets.

    Parameters
    ----------
    name : str
        Under which its runs are kept; the same name resumes.
    problems : iterable of str
    targets : iterable of str, optional
        Addresses; every usable target by default. One that cannot run a problem is left out of
        that problem's races and named in an event.
    sizes : iterable of int, optional
        By default five around each problem's own size, a factor of about three apart.
    seconds : float
        Measuring time for each cell.
    store : Store, optional
        The user's own by default.
    options
        Passed on to `RaceSession`.
    """

    def __init__(
        self,
        name: str,
        problems: Iterable[str],
        targets: Iterable[str] | None = None,
        *,
        sizes: Iterable[int] | None = None,
        seconds: float = 3.0,
        store: Store | None = None,
        **options: Any,
    ):
        if not (name and isinstance(name, str)):
            raise InputError("A sweep needs a name.", repr(name), "the same name resumes it")
        unknown = set(options) - set(inspect.signature(RaceSession).parameters)
        if unknown:
            raise InputError(
                "A race has no such option.", ", ".join(sorted(unknown)), "see RaceSession"
            )
        setup = {what: options[what] for what in ("threads", "hang_s") if what in options}
        require_setup(cache=options.get("cache", "warm"), seconds=seconds, **setup)
        self.name, self.seconds, self.options = name, seconds, options
        example = 'Sweep("mine", ["saxpy"], ["numpy"], sizes=[1000, 10_000])'
        self.targets = listed("targets", targets, example, str) if targets is not None else None
        wanted = [require_size(size) for size in listed("sizes", sizes or (), example)]
        problems = listed("problems", problems, example, str)
        self.store = store or Store()
        self.cells = [
            Cell(problem, size)
            for problem in problems
            for size in sorted(set(wanted or usual_sizes(catalog.load_problem(problem).size)))
        ]
        if not self.cells:
            raise InputError("A sweep needs a problem.", "none was named", "name one of the shelf")
        self.session: RaceSession | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._finished: set[Cell] | None = None
        self._listeners: list[Callable[[dict[str, Any]], None]] = []

    def subscribe(self, listener: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Have `listener(event)` called for every event; return what ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self) -> Sweep:
        """Begin in a thread and return at once."""
        if self._thread is not None:
            raise StoppedError("This sweep has been started.", self.name, "make a new Sweep")
        # What is wrong with the store is said here, and not in a thread.
        self.store.require_writable()
        self._finished = self.complete()
        self._thread = threading.Thread(target=self.run, name="workbench-sweep", daemon=True)
        self._thread.start()
        return self

    def again(self) -> Sweep:
        """Return the same sweep, ready to go on where this one ended."""
        other = copy(self)
        other._stop, other._thread, other._listeners = threading.Event(), None, []
        other._finished = None
        return other

    def stop(self) -> None:
        """End it after what is already measured; the same name resumes it."""
        self._stop.set()
        if self.session is not None:
            self.session.stop()

    def join(self, timeout: float | None = None) -> Sweep:
        """Wait for the end, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self

    @property
    def done(self) -> bool:
        """Whether a started sweep has ended."""
        return self._thread is not None and not self._thread.is_alive()

    def runs(self) -> list[Run]:
        """Return what is kept of this sweep and was measured alike, oldest first, with samples."""
        uuids = self.store.uuids(sweep=self.name)
        return [run for run in map(self.store.load, uuids) if self._alike(run)]

    def newest(self, problem: str | None) -> tuple[list[Run], list[DataFileError]]:
        """Return the last run of each size of one problem, with samples, and what is damaged.

        Only these runs' samples are read: a sweep that was gone through often keeps many more.
        """
        last, damaged = {}, []
        for uuid in self.store.uuids(sweep=self.name):
            try:
                run = self.store.load(uuid, samples=False)
                if run.problem == problem and self._alike(run):
                    last[run.size] = uuid
            except DataFileError as error:
                damaged.append(error)
        found = []
        for uuid in last.values():
            try:
                found.append(self.store.load(uuid))
            except DataFileError as error:
                damaged.append(error)
        return found, damaged

    def complete(self) -> set[Cell]:
        """Return the cells that need not be measured again: one run has every target wanted."""
        kept = []
        for uuid in self.store.uuids(sweep=self.name):
            try:
                run = self.store.load(uuid, samples=False)
            except DataFileError:
                continue  # a damaged run is not complete: its cell is measured again
            if self._whole(run) and self._alike(run):
                kept.append((Cell(run.problem, run.size), set(run.lanes)))
        problems = {cell.problem for cell, _ in kept}
        wanted = {problem: set(self._able(problem)[0]) for problem in problems}
        return {
            cell for cell, lanes in kept if wanted[cell.problem] and wanted[cell.problem] <= lanes
        }

    def _whole(self, run: Run) -> bool:
        """Say whether a kept run was measured for as long as this sweep measures."""
        if run.reason == SURE:
            return bool(self.options.get("until_sure"))
        return run.reason == ENDED and run.seconds >= self.seconds

    def _alike(self, run: Run) -> bool:
        """Say whether a kept run was measured here and as this sweep measures."""
        same = all(
            getattr(run, name) == self.options.get(name, usual) for name, usual in ALIKE.items()
        )
        return same and run.machine == fingerprint.machine()

    def run(self) -> None:
        """Measure every cell that is not complete, in this thread."""
        self.store.require_writable()
        known, self._finished = self._finished, None
        finished = self.complete() if known is None else known
        for number, cell in enumerate(self.cells):
            about = {"cell": number, "cells": len(self.cells), **vars(cell)}
            if cell in finished:
                for address, reason in self._left_out_by_name(cell).items():
                    self._tell(event="left out", target=address, reason=reason, **about)
                self._tell(event="skipped", **about)
                continue
            if self._stop.is_set():
                break
            self._tell(event="started", **about)
            try:
                self._measure(cell, about)
            except WorkbenchError as error:
                self._tell(event="failed", error=str(error), **about)
        self._tell(event="stopped" if self._stop.is_set() else "finished", cells=len(self.cells))

    def _measure(self, cell: Cell, about: dict[str, Any]) -> None:
        able, left_out = self._able(cell.problem)
        for address, reason in left_out.items():
            self._tell(event="left out", target=address, reason=reason, **about)
        session = RaceSession(
            cell.problem,
            able,
            size=cell.size,
            seconds=self.seconds,
            store=self.store,
            sweep=self.name,
            **self.options,
        )
        self.session = session
        session.subscribe(lambda race: self._tell(event="progress", state=race.state, **about))
        session.start()
        if self._stop.is_set():
            session.stop()
        session.join()
        lanes = [
            {"label": lane.label, "count": len(lane.samples_ns), "error": lane.error}
            for lane in session.records()
        ]
        self._tell(
            event="measured",
            run=session.run.uuid,
            reason=session.reason,
            lanes=lanes,
            trouble=session.trouble,
            **about,
        )

    def _left_out_by_name(self, cell: Cell) -> dict[str, str]:
        """Return the targets that were asked for by name and cannot run here, with the reasons."""
        return self._able(cell.problem)[1] if self.targets is not None else {}

    def _able(self, name: str) -> tuple[list[str], dict[str, str]]:
        """Return the addresses that can run a problem, and the others with their reasons."""
        from workbench import targets

        problem = catalog.load_problem(name)
        named = self.targets
        chosen = targets.everything() if named is None else [targets.find(one) for one in named]
        able, left_out = [], {}
        for target in chosen:
            answer = target.probe()
            answer = target.supports(problem) if answer else answer
            if answer:
                able.append(target.address)
            else:
                left_out[target.address] = answer.reason
        return able, left_out

    def _tell(self, **event: Any) -> None:
        for listener in list(self._listeners):
            listener(event)


def usual_sizes(usual: int, steps: Iterable[int] = range(-4, 1)) -> list[int]:
    """Return sizes up to the usual one, a factor of about three apart."""
    return sorted({max(1, round(usual * 10 ** (step / 2))) for step in steps})
