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
from workbench.bench import judge
from workbench.bench.child import Child, packed
from workbench.bench.records import CONTROL, LaneRecord
from workbench.errors import InputError, StoppedError, WorkbenchError
from workbench.problem import Problem, require_size

Joined = str | Callable[..., Any]
CACHES = ("warm", "cold")


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
    ):
        self.problem = catalog.load_problem(problem) if isinstance(problem, str) else problem
        self._by_name = isinstance(problem, str)
        self.size = require_size(self.problem.size if size is None else size)
        self.seconds, self.cache, self.threads, self.hang_s = seconds, cache, threads, hang_s
        if cache not in CACHES or seconds <= 0 or threads < 1 or hang_s <= 0:
            raise InputError(
                "The race cannot be set up like this.",
                f"cache={cache!r}, seconds={seconds}, threads={threads}, hang_s={hang_s}",
                "cache is 'warm' or 'cold'; the numbers are above zero",
            )
        self.lock = threading.RLock()
        self.lanes: dict[str, LaneRecord] = {}
        self._specs: dict[str, dict[str, Any]] = {}
        for one in targets:
            self._join(one)
        if not self.lanes:
            raise InputError("A race needs a lane.", "no targets", "name one target or callable")
        self.baseline = baseline or next(iter(self.lanes))
        if self.baseline not in self.lanes:
            raise InputError(
                f"The baseline {self.baseline!r} is not in the race.", "", ", ".join(self.lanes)
            )
        self.lanes[CONTROL] = LaneRecord(CONTROL, control_of=self.baseline)
        self._specs[CONTROL] = {**self._specs[self.baseline], "label": CONTROL}
        self.state, self.reason, self.waiting_for = "new", "", ("", 0.0)
        self.conditions: list[dict[str, Any]] = []
        self._rounds = 0
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
        if label in self.lanes or label == CONTROL:
            raise InputError(f"There are two lanes called {label!r}.", "", "rename one of them")
        self.lanes[label] = LaneRecord(label)
        self._specs[label] = {**spec, "label": label}

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
                "This race has been started before.", self.state, "make a new RaceSession"
            )
        self.state = "preparing"
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
        return self.state == "done"

    def records(self) -> list[LaneRecord]:
        """Return the lanes in the order they joined, the control last."""
        with self.lock:
            return list(self.lanes.values())

    def _config(self, labels: list[str], seconds: float) -> dict[str, Any]:
        problem = (
            {"problem": self.problem.name}
            if self._by_name
            else {"pickled_problem": packed(self.problem)}
        )
        return {
            **problem,
            "size": self.size,
            "seconds": seconds,
            "cache": self.cache,
            "first_round": self._rounds,
            "lanes": [self._specs[label] for label in labels],
        }

    def _race(self) -> None:
        """Run children until the time is up: a new one whenever a lane took its child with it."""
        left = self.seconds
        try:
            while left > 0 and not self._stop.is_set():
                running = [lane.label for lane in self.lanes.values() if not lane.error]
                if not any(label != CONTROL for label in running):
                    self.reason = self.reason or "no lane is left"
                    break
                child = Child(self._config(running, left), self.threads)
                try:
                    left -= self._listen(child)
                finally:
                    child.end()
        except WorkbenchError as error:
            self.reason = str(error)
        finally:
            self.state = "done"
            self.reason = self.reason or ("stopped" if self._stop.is_set() else "time is up")
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
                    self.reason = event["reason"]
                    return self.seconds
            self.waiting_for = label, seconds = child.running()
            if told_at is not None and time.monotonic() - told_at > 1.0:
                return self.seconds
            if label and seconds > self.hang_s:
                self._fail(label, "HungError", f"A call did not return in {self.hang_s:g} s.")
                break
            if event is None:
                self._tell()
        else:
            label = child.running()[0]
            words = child.last_words()
            if not label:
                self.reason = f"The measuring process ended by itself: {words}"
                return self.seconds
            self._fail(label, "CrashedError", "The process that ran it died.", words)
        return 0.0 if first_block is None else time.monotonic() - first_block

    def _take(self, child: Child, event: dict[str, Any]) -> bool:
        """Put one event on the records; return whether it was the last."""
        kind = event["event"]
        with self.lock:
            if kind == "ready":
                self.lanes[event["lane"]].ready(event)
            elif kind == "failed":
                self.lanes[event["lane"]].fail(
                    event["kind"], event["happened"], event["saw"], event["advice"]
                )
            elif kind == "block":
                self.state = "racing"
                self.conditions.append({**event["conditions"], "wall_ns": event["wall_ns"]})
                for number, place, ns, fresh, preempted in event["samples"]:
                    lane = self.lanes[event["labels"][place]]
                    lane.add(number, ns, bool(fresh), bool(preempted), len(self.conditions) - 1)
                    self._rounds = number + 1
        if kind == "audit":
            self._judge(child, event)
        self._tell()
        return kind == "finished"

    def _judge(self, child: Child, event: dict[str, Any]) -> None:
        """Compare an audited answer with the oracle, here, away from the code that gave it."""
        lane = self.lanes[event["lane"]]
        accuracy = judge.audit(self.problem, Path(event["path"]))
        with self.lock:
            lane.judged(accuracy)
            if not accuracy.ok and not lane.error:
                lane.fail("WrongResultError", "The answer is wrong.", accuracy.reason, "")
                child.tell({"drop": lane.label})

    def _fail(self, label: str, kind: str, happened: str, saw: str = "") -> None:
        with self.lock:
            self.lanes[label].fail(kind, happened, saw, "race it alone on a small size")

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener(self)


def default_threads() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
