"""A race: lanes of one problem at one size, measured in a child process, shown as records.

`RaceSession` starts and stops at once, from any thread; a thread of its own reads what the child
measured and judges the answers. A widget, the command line or a notebook asks for `records()`
whenever it likes, or subscribes. What a lane did wrong (raised, hung, crashed, answered wrongly) is
on its record; the other lanes go on.

It refuses to rank: `workbench.bench.compare` does, and only among lanes of one provenance.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from workbench import catalog
from workbench.bench import fingerprint, judge
from workbench.bench.child import Child, packed
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.store import Store
from workbench.bench.summary import summarise
from workbench.errors import DataFileError, InputError, StoppedError, WorkbenchError
from workbench.problem import Problem, require_size

Joined = str | Callable[..., Any]
CACHES = ("warm", "cold")
SAVE_EVERY_S = 1.0
DOUBT_EVERY_S = 1.0


class RaceSession:
    """A race over targets and callables.

    Parameters
    ----------
    problem : str or Problem
        A name on the shelf, or a problem of the caller's own.
    targets : iterable of str, or of callables
        Addresses as in `workbench.targets.find`, and functions ``f(*inputs)`` or
        ``f(*inputs, *outputs)``, which join under their own names.
    size : int, optional
        The problem's own size by default.
    seconds : float
        The budget of measuring time, after everything is prepared.
    baseline : str, optional
        The label the others are compared with; the first lane by default. Its second, identical
        lane is the A/A control.
    cache : {"warm", "cold"}
        Whether the processor's caches are emptied before each call.
    threads : int
        How many threads each library may use.
    hang_s : float
        A call that takes longer is given up, and its lane leaves the race.
    store : Store or "user", optional
        Where the run is kept, about every second while it is measured; "user" is the user's own.
    sweep : str
        The sweep it belongs to.

    Raises
    ------
    InputError
        Where the problem, the size or the lanes cannot be used.
    """

    def __init__(
        self,
        problem: str | Problem,
        targets: Iterable[Joined],
        *,
        size: int | None = None,
        seconds: float = 10.0,
        baseline: str | None = None,
        cache: str = "warm",
        threads: int = 1,
        hang_s: float = 60.0,
        store: Store | str | None = None,
        sweep: str = "",
    ):
        self.problem = catalog.load_problem(problem) if isinstance(problem, str) else problem
        self._by_name = isinstance(problem, str)
        size = require_size(self.problem.size if size is None else size)
        self.hang_s, self.sweep, self.trouble = hang_s, sweep, ""
        self.store = self._opened(store)
        if cache not in CACHES or seconds <= 0 or threads < 1 or hang_s <= 0:
            raise InputError(
                "The race cannot be set up like this.",
                f"cache={cache!r}, seconds={seconds}, threads={threads}, hang_s={hang_s}",
                "cache is 'warm' or 'cold'; the numbers are above zero",
            )
        self.lock = threading.RLock()
        self._specs: dict[str, dict[str, Any]] = {}
        for one in targets:
            self._join(one)
        if not self._specs:
            raise InputError("A race needs a lane.", "no targets", "name one target or callable")
        baseline = baseline or next(iter(self._specs))
        if baseline not in self._specs:
            raise InputError(
                f"The baseline {baseline!r} is not in the race.", "", ", ".join(self._specs)
            )
        lanes = {label: LaneRecord(label) for label in self._specs}
        self._specs[CONTROL] = {**self._specs[baseline], "label": CONTROL}
        self.run = Run(
            self.problem.name,
            size,
            self.problem.size_means,
            cache,
            threads,
            seconds,
            baseline,
            {**lanes, CONTROL: LaneRecord(CONTROL, control_of=baseline)},
            fingerprint.machine(),
            fingerprint.environment(),
            bytes_moved=self.problem.bytes_moved(size),
            operations=self.problem.operations(size),
        )
        self.waiting_for = ("", 0.0)
        self._trusted = {label for label, spec in self._specs.items() if "address" in spec}
        self._rounds, self._saved_s, self._doubted_s = 0, 0.0, time.monotonic()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._listeners: list[Callable[[RaceSession], None]] = []

    def _join(self, one: Joined) -> None:
        if isinstance(one, str):
            label, spec = one, {"address": one}
            from workbench import targets

            targets.find(one)
        elif callable(one):
            label = getattr(one, "__name__", type(one).__name__)
            spec = {"pickled": packed(one)}
        else:
            raise InputError(
                "That cannot race.", repr(one), "name a target, or pass a function of the inputs"
            )
        if label in self._specs or label == CONTROL:
            raise InputError(f"There are two lanes called {label!r}.", "", "rename one of them")
        self._specs[label] = {**spec, "label": label}

    def _opened(self, store: Store | str | None) -> Store | None:
        """Open the user's store; where that fails, say so on the race and go on without it."""
        if not isinstance(store, str):
            return store
        try:
            return Store()
        except DataFileError as error:
            self.trouble = f"This run is not kept. {error}"
            return None

    def subscribe(self, listener: Callable[[RaceSession], None]) -> Callable[[], None]:
        """Have `listener(session)` called after each change, from the race's thread.

        Returns
        -------
        callable
            Ends the subscription.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def start(self) -> RaceSession:
        """Begin, and return at once."""
        if self._thread is not None:
            raise StoppedError(
                "This race has been started before.", self.run.state, "make a new RaceSession"
            )
        self.run.state = "preparing"
        self._thread = threading.Thread(target=self._race, name="workbench-race", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the race early; what was measured stays. Returns at once."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> RaceSession:
        """Wait until the race has ended, at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self

    @property
    def done(self) -> bool:
        """Whether the race has ended."""
        return self.run.state == "done"

    def records(self) -> list[LaneRecord]:
        """Return the lanes in the order they joined, the control last."""
        with self.lock:
            return list(self.run.lanes.values())

    @property
    def state(self) -> str:
        """``new``, ``preparing``, ``racing`` or ``done``."""
        return self.run.state

    @property
    def reason(self) -> str:
        """Why it ended; empty until then."""
        return self.run.reason

    @property
    def seconds(self) -> float:
        """The budget of measuring time."""
        return self.run.seconds

    def summary(self) -> dict[str, Any]:
        """Return the race as it stands, as plain JSON; see `workbench.bench.summary.summarise`."""
        with self.lock:
            label, waited = self.waiting_for
            waiting = f"{label} has been running for {waited:.0f} s" if label and waited > 1 else ""
            return summarise(self.run, waiting, self.trouble)

    def _config(self, labels: list[str], seconds: float) -> dict[str, Any]:
        problem = (
            {"problem": self.problem.name}
            if self._by_name
            else {"pickled_problem": packed(self.problem)}
        )
        return {
            **problem,
            "size": self.run.size,
            "seconds": seconds,
            "cache": self.run.cache,
            "first_round": self._rounds,
            "lanes": [self._specs[label] for label in labels],
        }

    def _race(self) -> None:
        """Run children until the time is up: a new one whenever a lane took its child with it."""
        left = self.run.seconds
        try:
            while left > 0 and not self._stop.is_set():
                running = [lane.label for lane in self.run.lanes.values() if not lane.error]
                if not any(label != CONTROL for label in running):
                    self.run.reason = self.run.reason or "no lane is left"
                    break
                child = Child(self._config(running, left), self.run.threads)
                try:
                    left -= self._listen(child)
                finally:
                    child.end()
        except WorkbenchError as error:
            self.run.reason = str(error)
        finally:
            self.run.state = "done"
            self.run.reason = self.run.reason or (
                "stopped" if self._stop.is_set() else "time is up"
            )
            self._doubt()
            self._save(0.0)
            self._tell()

    def _listen(self, child: Child) -> float:
        """Take the child's events until it ends; return the measuring seconds it used."""
        self.waiting_for = ("", 0.0)
        first_block: float | None = None
        told_at = None
        for event in child.events():
            if self._stop.is_set() and told_at is None:
                child.tell({"stop": True})
                told_at = time.monotonic()
            if event is not None:
                if event["event"] == "block" and first_block is None:
                    first_block = time.monotonic()
                if self._take(child, event):
                    self.run.reason = event["reason"]
                    return self.run.seconds
            self.waiting_for = label, seconds = child.running()
            if told_at is not None and time.monotonic() - told_at > 1.0:
                return self.run.seconds
            if label and seconds > self.hang_s:
                self._fail(label, "HungError", f"A call did not return in {self.hang_s:g} s.")
                break
            if event is None:
                self._tell()
        else:
            label = child.running()[0]
            words = child.last_words()
            if not label:
                self.run.reason = f"The measuring process ended by itself: {words}"
                return self.run.seconds
            self._fail(label, "CrashedError", "The process that ran it died.", words)
        return 0.0 if first_block is None else time.monotonic() - first_block

    def _take(self, child: Child, event: dict[str, Any]) -> bool:
        """Put one event on the records; return whether it was the last."""
        kind = event["event"]
        with self.lock:
            if kind == "ready":
                self.run.lanes[event["lane"]].ready(event)
            elif kind == "failed":
                self.run.lanes[event["lane"]].fail(
                    event["kind"], event["happened"], event["saw"], event["advice"]
                )
            elif kind == "block":
                self.run.state = "racing"
                self.run.conditions.append({**event["conditions"], "wall_ns": event["wall_ns"]})
                for number, place, ns, fresh, preempted in event["samples"]:
                    lane = self.run.lanes[event["labels"][place]]
                    lane.add(number, ns, fresh, preempted, len(self.run.conditions) - 1)
                    self._rounds = number + 1
                for label, count in zip(event["labels"], event["disagreed"], strict=True):
                    self.run.lanes[label].disagreed += count
        if kind == "audit":
            self._judge(child, event)
        if time.monotonic() - self._doubted_s >= DOUBT_EVERY_S:
            self._doubt(child)
        self._save(SAVE_EVERY_S)
        self._tell()
        return kind == "finished"

    def _judge(self, child: Child, event: dict[str, Any]) -> None:
        """Compare an audited answer with the oracle, here, away from the code that gave it."""
        lane = self.run.lanes[event["lane"]]
        accuracy = judge.audit(self.problem, Path(event["path"]))
        with self.lock:
            lane.judged(accuracy)
            if not accuracy.ok and not lane.error:
                lane.fail("WrongResultError", "The answer is wrong.", accuracy.reason, "")
                child.tell({"drop": lane.label})

    def _doubt(self, child: Child | None = None) -> None:
        """Look at the samples themselves for what no honest lane shows."""
        self._doubted_s = time.monotonic()
        with self.lock:
            for label, kind, happened, saw in judge.doubts(self.run, self._trusted):
                if not self.run.lanes[label].error:
                    self.run.lanes[label].fail(kind, happened, saw)
                    if child is not None:
                        child.tell({"drop": label})

    def _fail(self, label: str, kind: str, happened: str, saw: str = "") -> None:
        with self.lock:
            self.run.lanes[label].fail(kind, happened, saw, "race it alone on a small size")

    def _save(self, at_most_every_s: float) -> None:
        """Put what is new into the store. A store that fails is named once; the race goes on."""
        due = time.monotonic() - self._saved_s >= at_most_every_s
        if self.store is None or not due:
            return
        self._saved_s = time.monotonic()
        try:
            with self.lock:
                self.store.save(self.run, sweep=self.sweep)
        except DataFileError as error:
            self.store, self.trouble = None, f"This run is not kept. {error}"

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener(self)


def default_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
