"""A race: lanes of one problem at one size, measured in a child process, shown as records.

`RaceSession` starts and stops at once, from any thread; a thread of its own reads what the child
measured and judges the answers. A widget, the command line or a notebook asks for `records()`
whenever it likes, or subscribes. What a lane did wrong (raised, hung, crashed, answered wrongly) is
on its record; the other lanes go on.

It refuses to rank: `workbench.bench.compare` does, and only among lanes of one provenance.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from workbench import catalog
from workbench.batch import batched
from workbench.bench import fingerprint
from workbench.bench.arguments import listed, require_memory, require_setup, usual_baseline
from workbench.bench.child import packed
from workbench.bench.conductor import Conductor
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.store import Store
from workbench.bench.summary import summarise, tell
from workbench.errors import DataFileError, ExecutionError, InputError, StoppedError
from workbench.problem import Problem, require_size

Joined = str | Callable[..., Any]
TELL_EVERY_S = 0.6
"""How often a running race compares its lanes anew; samples are shown more often."""


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
    batch : int
        How many independent instances one call computes, see `workbench.batch`.
    seconds : float
        The budget of measuring time, after everything is prepared.
    baseline : str, optional
        The label the others are compared with; the first one with a clock by default. Its second,
        identical lane is the A/A control.
    cache : {"warm", "cold"}
        Whether the processor's caches are emptied before each call.
    threads : int
        How many threads each library may use.
    hang_s : float
        A call that takes longer is given up, and its lane leaves the race.
    until_sure : bool
        Whether to end before the budget is spent, once every comparison with the baseline is
        conclusive in three looks in a row.
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
        batch: int = 1,
        seconds: float = 10.0,
        baseline: str | None = None,
        cache: str = "warm",
        threads: int = 1,
        hang_s: float = 60.0,
        until_sure: bool = False,
        store: Store | str | None = None,
        sweep: str = "",
    ):
        require_setup(cache=cache, seconds=seconds, threads=threads, hang_s=hang_s)
        self._by_name = isinstance(problem, str)
        self.problem = batched(_problem(problem), batch)
        size = require_size(self.problem.size if size is None else size)
        require_memory(self.problem, size)
        self.hang_s, self.sweep, self.trouble = hang_s, sweep, ""
        self.until_sure = until_sure
        self.store = self._opened(store)
        self.lock = threading.RLock()
        self._specs: dict[str, dict[str, Any]] = {}
        for one in listed("targets", targets, 'RaceSession("saxpy", ["numpy"])'):
            self._join(one)
        self.run = self._new_run(size, cache, threads, seconds, baseline)
        self.trusted = {label for label, spec in self._specs.items() if "address" in spec}
        self.waiting_for: tuple[str, float] = ("", 0.0)
        self._told, self._told_s = tell(self.run), time.monotonic()
        self._thread: threading.Thread | None = None
        self._stop, self._ended = threading.Event(), threading.Event()
        self._listeners: list[Callable[[RaceSession], None]] = []

    def _new_run(
        self, size: int, cache: str, threads: int, seconds: float, baseline: str | None
    ) -> Run:
        """Return the record of the lanes that joined and of the baseline's second one."""
        if not self._specs:
            raise InputError("A race needs a lane.", "no targets", "name one target or callable")
        baseline = baseline or usual_baseline(self._specs)
        if baseline not in self._specs:
            raise InputError(
                f"The baseline {baseline!r} is not in the race.", "", ", ".join(self._specs)
            )
        lanes = {label: LaneRecord(label) for label in self._specs}
        self._specs[CONTROL] = {**self._specs[baseline], "label": CONTROL}
        run = Run(
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
            batch=self.problem.batch,
        )
        for label, lane in run.lanes.items():
            if refused := self._specs[label].get("refused"):
                lane.fail("InputError", refused.happened, refused.saw, refused.advice)
        return run

    def _join(self, one: Joined) -> None:
        if isinstance(one, str):
            label, spec = one, {"address": one}
            from workbench import targets

            targets.find(one)
        elif callable(one):
            label = getattr(one, "__name__", type(one).__name__)
            try:
                spec = {"pickled": packed(one)}
            except InputError as error:  # its lane says so, and the others go on
                spec = {"refused": error}
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
        self._thread = threading.Thread(target=self._conduct, name="workbench-race", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the race early; what was measured stays. Returns at once."""
        self._stop.set()

    def join(self, timeout: float | None = None) -> RaceSession:
        """Wait until the race has ended, at most `timeout` seconds."""
        # Not Thread.join: Python 3.11 takes a thread for ended whose join Ctrl-C interrupted
        # (https://github.com/python/cpython/issues/90882).
        if self._thread is not None:
            self._ended.wait(timeout)
        return self

    def _conduct(self) -> None:
        try:
            Conductor(self).conduct()
        finally:
            self._ended.set()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

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
            if self.done or time.monotonic() - self._told_s > TELL_EVERY_S:
                self._told, self._told_s = tell(self.run), time.monotonic()
            return summarise(self.run, waiting, self.trouble, self._told)

    def check(self) -> RaceSession:
        """Raise for the first lane that left the race; a check that only prints never goes red.

        Raises
        ------
        ExecutionError
            Naming the lane, what happened and what was seen.
        """
        for lane in self.records():
            if lane.error:
                error = lane.error
                raise ExecutionError(
                    f"{lane.label} left the race: {error['happened']}",
                    error["saw"],
                    error["advice"] or "mend it, and race again",
                )
        return self

    def config(self, labels: list[str], seconds: float, first_round: int) -> dict[str, Any]:
        """Return what a child must know to race these lanes."""
        problem = (
            {"problem": self.problem.name, "batch": self.problem.batch}
            if self._by_name
            else {"pickled_problem": packed(self.problem)}
        )
        return {
            **problem,
            "size": self.run.size,
            "seconds": seconds,
            "cache": self.run.cache,
            "first_round": first_round,
            "lanes": [self._specs[label] for label in labels],
        }

    def tell(self) -> None:
        """Call every listener."""
        for listener in list(self._listeners):
            listener(self)


def _problem(given: Any) -> Problem:
    """Return a problem by name, or as it is."""
    found = catalog.load_problem(given) if isinstance(given, str) else given
    if not isinstance(found, Problem):
        raise InputError("That is no problem.", repr(given), "a name of the shelf, a Problem")
    return found
