"""What happens while a race runs: children start, samples come in, answers are judged.

One `Conductor` works in the race's own thread. It starts a child over the lanes that are left, a
new one whenever a lane took its child with it; it puts the child's events on the records, judges
audited answers, looks for what no honest lane shows, keeps the run, and ends in time.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.bench import judge
from workbench.bench.child import Child
from workbench.bench.compare import Verdict
from workbench.bench.records import CONTROL
from workbench.bench.summary import summarise
from workbench.bench.worker import SPOILT
from workbench.errors import DataFileError
from workbench.measurement import Provenance

if TYPE_CHECKING:
    from workbench.bench.session import RaceSession

SAVE_EVERY_S = 1.0
DOUBT_EVERY_S = 1.0
STOP_WAIT_S = 1.0
"""How long a child may take to stop by itself."""
JUDGE_SHARE = 0.2
"""The most of the time that judging may take, after each lane was judged once."""
SURE, SURE_LOOKS = "every comparison is conclusive", 3


class Conductor:
    """Runs one race.

    Parameters
    ----------
    race : RaceSession
        Whose records are filled.
    """

    def __init__(self, race: RaceSession):
        self.race = race
        self._rounds, self._sure_looks, self._judging_s = 0, 0, 0.0
        self._began_s = self._doubted_s = time.monotonic()
        self._saved_s = 0.0

    def conduct(self) -> None:
        """Run children until the time is up: a new one whenever a lane took its child with it."""
        run = self.race.run
        left = run.seconds
        try:
            while left > 0 and not self.race.stopping:
                running = [lane.label for lane in run.lanes.values() if not lane.error]
                if not any(label != CONTROL for label in running):
                    run.reason = run.reason or "no lane is left"
                    break
                child = Child(self.race.config(running, left, self._rounds), run.threads)
                try:
                    left -= self._listen(child)
                finally:
                    child.end()
        except Exception as error:  # whatever it is, it ends here, in words, and not in a thread
            run.reason = f"The race itself failed: {type(error).__name__}: {error}"
        finally:
            run.state = "done"
            self.race.waiting_for = ("", 0.0)
            run.reason = run.reason or ("stopped" if self.race.stopping else "time is up")
            self._doubt()
            self._save(0.0)
            self.race.tell()

    def _listen(self, child: Child) -> float:
        """Take the child's events until it ends; return the measuring seconds it used."""
        run = self.race.run
        self.race.waiting_for = ("", 0.0)
        first_block: float | None = None
        told_at = None
        for event in child.events():
            if self.race.stopping and told_at is None:
                child.tell({"stop": True})
                told_at = time.monotonic()
            if event is not None:
                if event["event"] == "block" and first_block is None:
                    first_block = time.monotonic()
                if self._take(child, event):
                    if event["reason"] == SPOILT:
                        break
                    run.reason = run.reason or event["reason"]
                    return run.seconds
            label, seconds = child.running()
            self.race.waiting_for = label, seconds
            if told_at is not None and time.monotonic() - told_at > STOP_WAIT_S:
                return run.seconds
            if label and seconds > self.race.hang_s:
                self._fail(label, "HungError", f"A call did not return in {self.race.hang_s:g} s.")
                break
            if event is None:
                self.race.tell()
        else:
            label = child.running()[0]
            words = child.last_words()
            suspects = [label] if label else self._learners()
            if not suspects:
                run.reason = f"The measuring process ended by itself: {words}"
                return run.seconds
            happened = "The process that ran it died" + ("." if label else " between two calls.")
            for suspect in suspects:
                self._fail(suspect, "CrashedError", happened, words)
        return 0.0 if first_block is None else time.monotonic() - first_block

    def _learners(self) -> list[str]:
        """Return the lanes that still race and are a learner's own code."""
        lanes = self.race.run.lanes.items()
        return [label for label, lane in lanes if label not in self.race.trusted and not lane.error]

    def _take(self, child: Child, event: dict[str, Any]) -> bool:
        """Put one event on the records; return whether it was the last."""
        run = self.race.run
        kind = event["event"]
        with self.race.lock:
            if kind == "ready":
                run.lanes[event["lane"]].ready(event)
                if event["device"]:
                    run.environment.setdefault("devices", {})[event["lane"]] = event["device"]
            elif kind == "failed":
                run.lanes[event["lane"]].fail(
                    event["kind"], event["happened"], event["saw"], event["advice"]
                )
            elif kind == "block":
                run.state = "racing"
                if self._adds_up(child, event):
                    self._put(event)
        if kind == "audit":
            self._judge(child, event)
        if time.monotonic() - self._doubted_s >= DOUBT_EVERY_S:
            self._doubt(child)
            if self.race.until_sure and kind == "block" and self._sure():
                run.reason = SURE
                child.tell({"stop": True})
        self._save(SAVE_EVERY_S)
        self.race.tell()
        return kind == "finished"

    def _put(self, event: dict[str, Any]) -> None:
        """Put a block's samples on the records."""
        run = self.race.run
        first = len(run.conditions)
        run.conditions += event["conditions"]
        for sample, span in zip(event["samples"], event["spans"], strict=True):
            number, place, ns, fresh, preempted = sample
            run.lanes[event["labels"][place]].add(number, ns, fresh, preempted, first + span)
            self._rounds = number + 1
        for label, count in zip(event["labels"], event["disagreed"], strict=True):
            run.lanes[label].disagreed += count

    def _adds_up(self, child: Child, event: dict[str, Any]) -> bool:
        """Refuse samples that add up to more time than has passed here, by this process's clock."""
        measured = {
            label
            for label, lane in self.race.run.lanes.items()
            if lane.provenance is Provenance.MEASURED
        }
        labels = event["labels"]
        ns = sum(ns for _, at, ns, *_ in event["samples"] if labels[at] in measured)
        if child.reported_ns + ns <= 1e9 * child.age_s():
            child.reported_ns += ns
            return True
        for label in self._learners():
            self._fail(
                label,
                "ClockError",
                "The samples of this race add up to more time than has passed.",
                f"{(child.reported_ns + ns) / 1e9:.3g} s reported in {child.age_s():.3g} s",
            )
            child.tell({"drop": label})
        return False

    def _judge(self, child: Child, event: dict[str, Any]) -> None:
        """Compare an audited answer with the oracle, here, away from the code that gave it."""
        run = self.race.run
        lane, path = run.lanes[event["lane"]], Path(event["path"])
        began = time.monotonic()
        late = self._judging_s > JUDGE_SHARE * (began - self._began_s)
        if lane.audits and late and random.random() < 0.9:
            path.unlink(missing_ok=True)
            return
        accuracy = judge.audit(self.race.problem, path)
        self._judging_s += time.monotonic() - began
        with self.race.lock:
            lane.judged(accuracy)
            if not accuracy.ok and not lane.error:
                lane.fail("WrongResultError", "The answer is wrong.", accuracy.reason, "")
                child.tell({"drop": lane.label})

    def _doubt(self, child: Child | None = None) -> None:
        """Look at the samples themselves for what no honest lane shows."""
        run = self.race.run
        self._doubted_s = time.monotonic()
        with self.race.lock:
            for label, kind, happened, saw in judge.doubts(run, self.race.trusted):
                if not run.lanes[label].error:
                    run.lanes[label].fail(kind, happened, saw)
                    if child is not None:
                        child.tell({"drop": label})

    def _sure(self) -> bool:
        """Look whether every verdict is conclusive, for the third time in a row.

        One look would stop at the first lucky moment (optional stopping); the interval must hold.
        """
        run = self.race.run
        with self.race.lock:
            told = [lane for lane in summarise(run)["lanes"] if not lane["error"]]
        verdicts = [lane.get("verdict") for lane in told if lane["label"] != run.baseline]
        open_ = not verdicts or None in verdicts or Verdict.INCONCLUSIVE in verdicts
        self._sure_looks = 0 if open_ else self._sure_looks + 1
        return self._sure_looks >= SURE_LOOKS

    def _fail(self, label: str, kind: str, happened: str, saw: str = "") -> None:
        run = self.race.run
        with self.race.lock:
            run.lanes[label].fail(kind, happened, saw, "race it alone on a small size")

    def _save(self, at_most_every_s: float) -> None:
        """Put what is new into the store. A store that fails is named once; the race goes on."""
        run = self.race.run
        due = time.monotonic() - self._saved_s >= at_most_every_s
        if self.race.store is None or not due:
            return
        self._saved_s = time.monotonic()
        try:
            with self.race.lock:
                self.race.store.save(run, sweep=self.race.sweep)
        except DataFileError as error:
            self.race.store, self.race.trouble = None, f"This run is not kept. {error}"
