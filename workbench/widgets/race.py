"""The live race: one problem, several places to run it, every sample on the screen.

The widget holds a `workbench.bench.RaceSession`, which measures in a child process, and shows its
records. It refuses to rank numbers of different provenance in one picture, and its first sentence
says what cannot be told yet.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import traitlets

from workbench import catalog
from workbench.bench.arguments import listed, require_setup, usual_baseline
from workbench.bench.session import RaceSession
from workbench.bench.summary import summarise
from workbench.bench.sweep import usual_sizes
from workbench.errors import InputError
from workbench.problem import Problem, require_size
from workbench.widgets import _race_picture
from workbench.widgets._loader import Widget, load_js
from workbench.widgets._race_controls import Controls

UPDATE_S = 0.09
"""Least time between two pictures: more than five a second, and little work for the kernel."""
BATCHES = (1, 2, 4, 8, 16, 32)
SECONDS = (3, 10, 30, 60)


class Race(Widget):
    """A race with controls: pick problem, size and targets, Start, Stop.

    Parameters
    ----------
    problem : str or Problem, optional
        What is computed first; the first problem of the shelf by default.
    targets : iterable of str or callable, optional
        Who races; every usable target by default. Callables join under their own names.
    size, batch, seconds, baseline, cache, threads
        As in `RaceSession`.
    keep : bool
        Whether runs go into the user's store.

    Examples
    --------
    >>> race = Race("saxpy", ["numpy", "torch_cpu"])
    >>> def mine(a, x, y):
    ...     return a * x + y
    >>> race.add(mine)
    """

    _esm = load_js("race")
    choices = traitlets.Dict().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        problem: Any = None,
        targets: Iterable[str | Callable[..., Any]] | None = None,
        *,
        size: int | None = None,
        batch: int = 1,
        seconds: float = 10,
        baseline: str | None = None,
        cache: str = "warm",
        threads: int = 1,
        keep: bool = True,
    ):
        super().__init__()
        require_setup(cache=cache, seconds=seconds, threads=threads)
        size = None if size is None else require_size(size)
        batch = require_size(batch, what="batch")
        if isinstance(problem, str):
            catalog.load_problem(problem)
        names = catalog.problem_names()
        self._problems: dict[str, Any] = {name: name for name in names}
        if problem is not None and not isinstance(problem, str):
            if not isinstance(problem, Problem):
                raise InputError("That is no problem.", repr(problem), "a name, or a Problem")
            self._problems[problem.name] = problem
            problem = problem.name
        self._callables: dict[str, Callable[..., Any]] = {}
        self.session: RaceSession | None = None
        self._lock, self._shown_s, self._busy_shown = threading.RLock(), 0.0, False
        self._options = {"threads": threads, "store": "user" if keep else None}
        self.chosen = {
            "problem": problem or names[0],
            "targets": [],
            "seconds": seconds,
            "baseline": baseline,
            "cache": cache,
            "size": size,
            "batch": batch,
        }
        self.controls = Controls(self._heard)
        self._offer()
        example = 'Race("saxpy", ["numpy", "torch_cpu"])'
        for one in listed("targets", () if targets is None else targets, example):
            self.add(one)
        self._show()
        self._show_controls()
        self._search = threading.Thread(target=self._look, args=(targets is None,))
        if targets is None or self._unknown():
            self._search.start()
        if not self._unknown():
            self._found()

    def add(self, target: str | Callable[..., Any]) -> Race:
        """Add a target by address, or any callable; call it again to replace a callable.

        Parameters
        ----------
        target : str or callable
            ``f(*inputs)`` returns the answer; ``f(*inputs, *outputs)`` fills the outputs.
        """
        if not (callable(target) or isinstance(target, str)):
            raise InputError("That cannot race.", repr(target), "name a target, or pass a function")
        with self._lock:
            if callable(target):
                name = getattr(target, "__name__", type(target).__name__)
                self._callables[name] = target
            else:
                name = target
            if name not in self.chosen["targets"]:
                self.chosen = {**self.chosen, "targets": [*self.chosen["targets"], name]}
            self._offer()
            self._show_controls()
        return self

    def start(self) -> Race:
        """Start the race that the controls describe; returns at once."""
        if self._busy:
            return self
        self._found()
        pick = self.chosen
        self.session = RaceSession(
            self._problems[pick["problem"]],
            self._racers(),
            size=pick["size"],
            batch=pick["batch"],
            seconds=float(pick["seconds"]),
            baseline=self._baseline(),
            cache=pick["cache"],
            **self._options,
        )
        self.session.subscribe(self._changed)
        self.session.start()
        self._show_controls()
        return self

    def stop(self) -> Race:
        """Stop it; what was measured stays on the screen."""
        if self.session is not None:
            self.session.stop()
        return self

    def join(self, timeout: float | None = None) -> Race:
        """Wait for the end, at most `timeout` seconds."""
        if self.session is not None:
            self.session.join(timeout)
        return self

    def sentence(self) -> str:
        """Return what the picture shows now."""
        return self.view.get("sentence", "")

    def picture(self) -> str:
        """Return the static SVG."""
        return _race_picture.draw(self.view)

    def _unknown(self) -> list[str]:
        return [one["name"] for one in self.choices["targets"] if not one["known"]]

    def _look(self, choose: bool) -> None:
        """Ask every target, which takes seconds; with `choose` all that can be used join."""
        from workbench import targets

        for target in targets.everything():
            target.probe()
        with self._lock:
            self._offer()
            if choose:
                new = [name for name in self._usable() if name not in self.chosen["targets"]]
                self.chosen = {**self.chosen, "targets": [*new, *self.chosen["targets"]]}
            self._show_controls()

    def _found(self) -> None:
        """Wait until every target was asked: nothing is measured beside that."""
        if self._search.ident is not None:
            self._search.join()

    def _usable(self) -> list[str]:
        return [one["name"] for one in self.choices["targets"] if one["usable"]]

    def _offer(self) -> None:
        """Fill the menus: problems, sizes of the chosen one, and targets with their reasons."""
        from workbench import targets
        from workbench.targets import Availability

        problem = self._problems[self.chosen["problem"]]
        problem = catalog.load_problem(problem) if isinstance(problem, str) else problem
        offered = []
        for target in targets.everything():
            answer = target.known()
            known = answer is not None
            answer = answer if known else Availability(False, "being looked for", "wait a moment")
            answer = target.supports(problem) if answer else answer
            offered.append({"name": target.name, "known": known, **vars(answer)})
        names = {one["name"] for one in offered}
        for name in [*self.chosen["targets"], *self._callables]:
            if name not in names:
                names.add(name)
                offered.append({"name": name, "known": True, **vars(Availability(True, ""))})
        sizes = sorted(
            {*usual_sizes(problem.size, range(-6, 3)), self.chosen["size"] or problem.size}
        )
        self.choices = {
            "problems": list(self._problems),
            "summary": problem.summary,
            "sizes": sizes,
            "size_means": problem.size_means,
            "targets": offered,
            "batches": sorted({*BATCHES, self.chosen["batch"]}),
            "seconds": sorted({*SECONDS, self.chosen["seconds"]}),
        }
        if self.chosen["size"] is None:
            self.chosen = {**self.chosen, "size": problem.size}

    def _heard(self, what: str, value: Any) -> None:
        """Act on a control, and show in the controls what came of it."""
        before = self.chosen
        if self.view.get("trouble"):
            self._show()
        try:
            if what == "start":
                self.start()
            elif what == "stop":
                self.stop()
            else:
                self._choose(what, value)
        except Exception as error:  # also what a problem's own file raises
            self.chosen = before
            self.view = {**self.view, "trouble": str(error)}
        self._show_controls()

    def _racers(self) -> list[str | Callable[..., Any]]:
        """Return the chosen lanes, callables as themselves."""
        known: dict[str, str | Callable[..., Any]] = {name: name for name in self.chosen["targets"]}
        known.update((name, self._callables[name]) for name in known if name in self._callables)
        return list(known.values())

    def _choose(self, what: str, value: Any) -> None:
        self.chosen = {**self.chosen, what: value}
        session = self.session
        if what == "baseline" and session and session.done and value in session.run.lanes:
            session.run.baseline = value
            self._show()
        if what == "problem":
            self._found()
            self.chosen = {**self.chosen, "size": None}
            self._offer()
            usable = set(self._usable())
            kept = [name for name in self.chosen["targets"] if name in usable]
            self.chosen = {**self.chosen, "targets": kept}

    def _changed(self, session: RaceSession) -> None:
        """Show the session's records, at most every `UPDATE_S`; always the last ones."""
        with self._lock:
            if time.monotonic() - self._shown_s < UPDATE_S and not session.done:
                return
            self._shown_s = time.monotonic()
            if session is self.session:
                self._show()
        if session.done:
            self.settle()

    def _show(self) -> None:
        self.view = summarise(None) if self.session is None else self.session.summary()
        if self._busy != self._busy_shown:
            self._show_controls()

    @property
    def _busy(self) -> bool:
        return self.session is not None and not self.session.done

    def _baseline(self) -> str | None:
        """Return the lane that the others are, or will be, compared with."""
        lanes = self.chosen["targets"]
        wanted = self.chosen["baseline"]
        return wanted if wanted in lanes else usual_baseline(lanes) if lanes else None

    def _show_controls(self) -> None:
        self._busy_shown = self._busy
        chosen = {**self.chosen, "baseline": self._baseline()}
        self.controls.show(self.choices, chosen, self._busy_shown)
