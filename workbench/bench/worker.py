"""The child process that measures, started by `workbench.bench.child`.

It reads one JSON configuration and then short commands from its standard input, and writes JSON
events, one on each line, to a pipe of its own, so that nothing a target prints can spoil them. A
small shared file says which lane is running, so that the parent can name the one that hangs.
Outputs chosen for an audit are saved as plain arrays and judged by the parent.

It refuses to outlive its parent: on Linux the kernel ends it, elsewhere the closed pipe does.
"""

from __future__ import annotations

import base64
import ctypes
import json
import mmap
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from workbench.batch import batched
from workbench.bench import suspicion
from workbench.bench.callables import CallableRunner
from workbench.bench.engine import CLOCK, Engine, Lane
from workbench.bench.feeder import Feeder
from workbench.errors import WorkbenchError
from workbench.problem import Problem

ACTIVE_BYTES = 16
"""The shared file: a lane's place in the configuration (-1: none), and since when, in ns.

Two aligned 64-bit words, each written in one go, so that the parent never reads half of one."""
_KEPT_AUDITS = 4
SPOILT = "spoilt"
"""Why a child ends in which a learner's code changed something that lasts."""


class Worker:
    """One race in this process."""

    def __init__(self, config: dict[str, Any], events: Any):
        self.config, self.events = config, events
        self.folder = Path(config["folder"])
        self.specs = {spec["label"]: spec for spec in config["lanes"]}
        self.places = {label: at for at, label in enumerate(self.specs)}
        with open(self.folder / "active", "r+b") as file:
            self.active = np.frombuffer(mmap.mmap(file.fileno(), ACTIVE_BYTES), np.int64)
        self.problem = self._problem()
        self.size = int(config["size"])
        self.feeder = Feeder(self.problem, self.size)
        self.audits = 0
        self.heard = b""
        self.untrusted = any("pickled" in spec for spec in self.specs.values())
        self.lingering = suspicion.Lingering()
        self.ground: suspicion.Ground | None = None
        self.spoilt = False

    def run(self) -> str:
        """Prepare the lanes and race until told to stop; return why it ended."""
        # Ours first: whatever a learner's code does when it is loaded comes after them.
        ours_first = sorted(self.specs.values(), key=lambda spec: "pickled" in spec)
        lanes = [lane for spec in ours_first if (lane := self._prepare(spec))]
        engine = Engine(
            lanes,
            self.feeder,
            cold=self.config["cache"] == "cold",
            on_start=self._begin,
            on_error=self._failed,
            on_audit=self._inspect,
        )
        engine.rounds = self.config["first_round"]
        end = time.monotonic() + self.config["seconds"]
        dropped = self._commands()
        while lanes and not (dropped["stop"] or self.spoilt) and time.monotonic() < end:
            for label in dropped["drop"]:
                lanes[:] = [lane for lane in lanes if lane.label != label]
            block = engine.block(lambda: time.monotonic() > end)
            self._rest()
            self._send(
                event="block",
                labels=block.labels,
                samples=block.samples,
                spans=block.spans,
                conditions=block.conditions,
                disagreed=block.disagreed,
            )
            dropped = self._commands()
        if self.spoilt:
            return SPOILT
        return "stopped" if dropped["stop"] else "time is up" if lanes else "no lane is left"

    def _problem(self) -> Problem:
        if "pickled_problem" in self.config:
            return _unpickled(self.config["pickled_problem"])
        from workbench import catalog

        return batched(catalog.load_problem(self.config["problem"]), self.config["batch"])

    def _prepare(self, spec: dict[str, Any]) -> Lane | None:
        """Prepare one lane and run it once; the first call is timed apart."""
        if self.spoilt:
            return None
        label = spec["label"]
        if "pickled" in spec and self.ground is None:
            self.ground = suspicion.Ground(self.problem)
        lane = Lane(label, None, trusted="pickled" not in spec)
        self._begin(lane)
        start = CLOCK()
        try:
            inputs = self.feeder.next()
            lane.runner, about = self._runner(spec, inputs)
            lane.measured = about["provenance"] == "measured"
            prepared = CLOCK()
            lane.runner.run()
            called = CLOCK()
            self._audit(lane, -1, inputs)
            lane.last_ns = called - prepared
            if lane.trusted and self.untrusted:
                self.lingering.learn(lane)
            if not lane.trusted:
                self._trial(spec)
        except (Exception, SystemExit) as error:
            self._failed(lane, error)
            return None
        self._rest()
        self._send(
            event="ready",
            lane=label,
            prepare_ns=prepared - start,
            first_call_ns=called - prepared,
            threads=threading.active_count(),
            **about,
        )
        return lane

    def _runner(self, spec: dict[str, Any], inputs: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
        if "pickled" in spec:
            runner = CallableRunner(self.problem, _unpickled(spec["pickled"]), inputs)
            about = {"provenance": "measured", "model": "", "stated_error": ""}
            return runner, {**about, "notes": [], "device": ""}
        from workbench import targets

        target = targets.find(spec["address"])
        runner = target.prepare(self.problem, inputs)
        return runner, {
            "provenance": str(target.provenance),
            "model": target.model,
            "stated_error": target.stated_error,
            "notes": list(runner.notes),
            "device": runner.device,
        }

    def _trial(self, spec: dict[str, Any]) -> None:
        """Run a learner's code once on another size and scale, and see what it calls."""
        inputs = suspicion.held_out(self.problem, self.feeder.secret)
        lane = Lane(spec["label"], self._runner(spec, inputs)[0], trusted=False)
        suspicion.refuse_the_reference(self.problem, lane.runner)
        self._audit(lane, -1, inputs)
        self._watch_for_others(lane)
        assert self.ground is not None
        self.ground.require_untouched()

    def _watch_for_others(self, lane: Lane) -> None:
        """Look after a few quick calls whether something the code started goes on by itself."""
        for _ in range(suspicion.WATCHES):
            suspicion.call(lane)
            if lane.last_ns > 20_000_000:
                return  # while it races there will be watches enough
            self.lingering.watch(lane)

    def _inspect(self, lane: Lane, number: int, inputs: tuple[Any, ...]) -> None:
        """Audit one call that has just ended: at once, or after a look at who still works."""
        if not lane.trusted:
            assert self.ground is not None
            suspicion.refuse_left_threads(lane)
            self.ground.require_untouched()
            if self.feeder.secret.random() < 0.6:
                self.lingering.watch(lane)
        self._audit(lane, number, inputs)

    def _audit(self, lane: Lane, number: int, inputs: tuple[Any, ...]) -> None:
        """Save inputs and outputs of the last call for the parent to judge."""
        outputs = lane.runner.fetch()
        if len(list(self.folder.glob("audit-*.npz"))) >= _KEPT_AUDITS * len(self.specs):
            return
        self.audits += 1
        path = self.folder / f"audit-{self.audits}.npz"
        partial = path.with_suffix(".part")
        with open(partial, "wb") as file:
            arrays = {f"in{at}": np.asarray(value) for at, value in enumerate(inputs)}
            arrays |= {f"out{at}": np.asarray(value) for at, value in enumerate(outputs)}
            np.savez(file, allow_pickle=False, **arrays)
        partial.rename(path)
        self._send(event="audit", lane=lane.label, round=number, path=str(path))

    def _begin(self, lane: Lane) -> None:
        self.active[1] = time.monotonic_ns()
        self.active[0] = self.places[lane.label]

    def _rest(self) -> None:
        self.active[0] = -1

    def _failed(self, lane: Lane, error: BaseException) -> None:
        self._rest()
        self.spoilt |= isinstance(error, suspicion.SpoiltError)
        happened = error.happened if isinstance(error, WorkbenchError) else str(error)
        self._send(
            event="failed",
            lane=lane.label,
            kind=type(error).__name__,
            happened=happened or "no message",
            saw=getattr(error, "saw", ""),
            advice=getattr(error, "advice", ""),
        )

    def _send(self, **event: Any) -> None:
        self.events.write(json.dumps(event) + "\n")
        self.events.flush()

    def _commands(self) -> dict[str, Any]:
        """Read the parent's commands without waiting; a closed pipe means stop."""
        found: dict[str, Any] = {"stop": False, "drop": []}
        while select.select([0], [], [], 0)[0]:
            got = os.read(0, 4096)
            found["stop"] |= not got
            if not got:
                break
            self.heard += got
        *lines, self.heard = self.heard.split(b"\n")
        for line in lines:
            command = json.loads(line)
            found["stop"] |= "stop" in command
            found["drop"] += [command["drop"]] if "drop" in command else []
        return found


def _unpickled(text: str) -> Any:
    """Return what the parent, this user's own process, packed with cloudpickle."""
    import cloudpickle

    return cloudpickle.loads(base64.b64decode(text))


def _first_line() -> bytes:
    """Read the configuration byte by byte, so that no command after it is swallowed."""
    line = bytearray()
    while not line.endswith(b"\n"):
        got = os.read(0, 1)
        if not got:
            break
        line += got
    return bytes(line)


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent is gone (prctl(2), PR_SET_PDEATHSIG = 1)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def main() -> None:
    """Run one race as the parent's configuration says."""
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as events:
        worker = Worker(json.loads(_first_line()), events)
        worker._send(event="finished", reason=worker.run())
