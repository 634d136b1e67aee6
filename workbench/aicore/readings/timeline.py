"""Third reading: the time. An event-driven scoreboard over the pipes of every core.

An instruction begins when its pipe is free and its waits are over; the gap in between is a stall,
and the event that ended it is its cause. The scalar unit is taken to be infinitely far ahead, and
the memory shared by all cores is a floor under the whole: bytes that must cross it once over the
data sheet's bandwidth. Everything here is `modelled`, and says so. It refuses to be a measurement.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from workbench.aicore.findings import AICoreError
from workbench.aicore.machine import PIPES, Chip
from workbench.aicore.readings.costs import Costs
from workbench.aicore.recording.instructions import ArrayInfo, Instruction
from workbench.aicore.recording.lines import caller
from workbench.errors import InputError
from workbench.measurement import Provenance

MODEL = "workbench.aicore scoreboard"


@dataclass(frozen=True)
class Bar:
    """What one pipe did, or why it did nothing, from `start_ns` to `stop_ns`.

    Attributes
    ----------
    cause : str
        Empty for work; for a stall, the event that was waited for.
    index : int
        Which instruction, in the order of the recording.
    """

    core: int
    pipe: str
    name: str
    start_ns: float
    stop_ns: float
    file: str
    line: int
    cause: str = ""
    index: int = -1


@dataclass
class Timeline:
    """Predicted time of one run. Never a measurement.

    Attributes
    ----------
    elapsed_ns : float
        Until the last pipe is done, or the shared memory's floor if that is longer.
    pipes_ns : float
        Until the last pipe is done.
    memory_floor_ns : float
        Least time of the traffic that all cores share; 0 where nobody says the bandwidth.
    left_out : str
        What the model had to leave out for this chip; empty for nothing besides `stated_error`.
    busy_ns : dict
        For each pipe, time at work of the core that worked longest there.
    bars : list of Bar
        Empty in time-only mode.
    cores, executed_cores : int
        Launched, and carried out one by one; the rest is taken to be like them.
    """

    kernel: str
    chip: str
    clock_ghz: float
    stated_error: str
    cores: int
    executed_cores: int
    pipes_ns: float = 0.0
    memory_floor_ns: float = 0.0
    busy_ns: dict[str, float] = field(default_factory=dict)
    stalls_ns: dict[str, float] = field(default_factory=dict)
    bars: list[Bar] = field(default_factory=list, repr=False)
    instructions: int = 0
    left_out: str = ""
    provenance: Provenance = Provenance.MODELLED
    model: str = MODEL

    @property
    def elapsed_ns(self) -> float:
        """Predicted time of the whole run in nanoseconds."""
        return max(self.pipes_ns, self.memory_floor_ns)

    @property
    def bound(self) -> str:
        """What bounds the run's time, in words, and what may bind besides."""
        return self._bound() + (f"; {self.left_out}" if self.left_out else "")

    def _bound(self) -> str:
        if self.memory_floor_ns >= self.pipes_ns:
            return "the memory that all cores share"
        pipe = max(self.busy_ns, key=lambda name: self.busy_ns[name], default="nothing")
        share = self.busy_ns.get(pipe, 0.0) / self.pipes_ns if self.pipes_ns else 0.0
        if share > 0.85:
            return f"pipe {pipe} (at work {share:.0%} of the time)"
        return f"waiting (the busiest pipe, {pipe}, works {share:.0%} of the time)"

    def chrome_trace(self) -> dict[str, Any]:
        """Return the timeline as a Chrome trace, for ``chrome://tracing`` and Perfetto."""
        events: list[dict[str, Any]] = []
        for core in sorted({bar.core for bar in self.bars}):
            name = {"name": f"core {core} (modelled)"}
            events.append({"ph": "M", "name": "process_name", "pid": core, "args": name})
        for bar in self.bars:
            events.append(
                {
                    "ph": "X",
                    "name": f"waits for {bar.cause}" if bar.cause else bar.name,
                    "cat": "stall" if bar.cause else "work",
                    "pid": bar.core,
                    "tid": bar.pipe,
                    "ts": bar.start_ns / 1e3,
                    "dur": (bar.stop_ns - bar.start_ns) / 1e3,
                    "args": {"line": f"{bar.file.rpartition('/')[2]}:{bar.line}"},
                }
            )
        other = {"provenance": "modelled", "model": self.model, "stated_error": self.stated_error}
        other |= {"left_out": self.left_out} if self.left_out else {}
        return {"traceEvents": events, "displayTimeUnit": "ns", "otherData": other}

    def save_chrome_trace(self, path: Any) -> None:
        """Write `chrome_trace` to the file of this name, or raise `InputError` for no name."""
        if not isinstance(path, (str, os.PathLike)):
            raise InputError(
                "A trace is saved under the name of a file.", repr(path), '"trace.json"'
            )
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.chrome_trace(), file)


class Scoreboard:
    """Takes instructions in an allowed order and keeps each pipe's time.

    Parameters
    ----------
    keep_bars : bool
        False for time-only mode, which takes the cores one after the other and so refuses
        `sync_all`, and expects each set before its wait.
    """

    def __init__(self, costs: Costs, keep_bars: bool):
        self.costs, self.keep = costs, keep_bars
        self.free: dict[int, list[float]] = defaultdict(lambda: [0.0] * len(PIPES))
        self.busy: dict[int, list[float]] = defaultdict(lambda: [0.0] * len(PIPES))
        self.idle: dict[tuple[int, int], bool] = defaultdict(lambda: True)
        self.marks: dict[tuple, deque[float]] = defaultdict(deque)
        self.stalls: dict[str, float] = defaultdict(float)
        self.traffic: dict[int, int] = defaultdict(int)
        self.rounds: dict[tuple[str, int, range], int] = defaultdict(int)
        self.arrived: dict[int, float] = defaultdict(float)
        self.bars: list[Bar] = []
        self.count = 0

    def feed(self, one: Instruction) -> None:
        """Place one instruction in time."""
        self.count += 1
        kind = one.kind
        if kind == "op":
            self._work(one)
        elif kind == "set":
            self.marks[one.core, one.key].append(self.free[one.core][one.pipe])
        elif kind == "wait":
            self._wait(one)
        else:
            self._barrier(one)

    def _work(self, one: Instruction) -> None:
        free, pipe = self.free[one.core], one.pipe
        start, cycles = free[pipe], one.cycles
        if one.head:
            if self.idle[one.core, pipe]:
                cycles += one.head
            self.idle[one.core, pipe] = False
        stop = free[pipe] = start + cycles
        self.busy[one.core][pipe] += cycles
        if one.gm_bytes:
            for tensor in (*one.reads[:1], *one.writes[:1]):
                array = getattr(tensor, "array", None)
                if array is not None:
                    self.traffic[array] += one.gm_bytes
        if self.keep and cycles:
            self._bar(one, start, stop, "")

    def _wait(self, one: Instruction) -> None:
        marks = self.marks[one.core, one.key]
        if not marks:
            raise AICoreError(
                "unmatched_wait",
                "An event is waited for before it is set.",
                one.name,
                "set the event, in the kernel's own order, before it is waited for",
            )
        mark, free, pipe = marks.popleft(), self.free[one.core], one.pipe
        if mark > free[pipe]:
            self.stalls[PIPES[pipe]] += (mark - free[pipe]) / self.costs.clock_ghz
            if self.keep:
                self._bar(one, free[pipe], mark, one.name)
            free[pipe] = mark
            self.idle[one.core, pipe] = True

    def _barrier(self, one: Instruction) -> None:
        free, joined = self.free[one.core], slice(one.pipes.start, one.pipes.stop)
        latest = max(free[joined])
        if one.kind != "barrier":  # sync_all: a round is over when all that take part have come
            if not self.keep:
                raise InputError(
                    "Time-only mode takes the cores one after the other.",
                    f"{one.name} at line {caller(1)[1]} joins them",
                    "launch the kernel on a smaller size and read run.timeline",
                )
            who = (one.kind, one.core, one.pipes)
            self.rounds[who] += 1
            number = self.rounds[who]
            if one.kind == "arrive":
                self.arrived[number] = max(self.arrived[number], latest)
            else:
                latest = self.arrived[number]
        free[joined] = [latest] * len(one.pipes)

    def _bar(self, one: Instruction, start: float, stop: float, cause: str) -> None:
        ghz = self.costs.clock_ghz
        begin, end = start / ghz, stop / ghz
        where = (one.core, PIPES[one.pipe], one.name, begin, end, one.file, one.line)
        self.bars.append(Bar(*where, cause, one.index))

    def timeline(
        self, kernel: str, chip: Chip, cores: int, arrays: tuple[ArrayInfo, ...]
    ) -> Timeline:
        """Return what was fed, as times."""
        ghz = self.costs.clock_ghz
        executed = max(len(self.free), 1)
        shared = 0.0
        for index, nbytes in self.traffic.items():
            info = arrays[index]
            size = info.dtype.itemsize
            for length in info.shape:
                size *= length
            shared += min(nbytes * cores / executed, size)
        floor = shared / chip.memory_gb_per_s if chip.memory_gb_per_s else 0.0
        left_out = (
            ""
            if chip.memory_gb_per_s
            else (
                f"the memory that all cores share is left out: no source gives its bandwidth for "
                f"{chip.title}"
            )
        )
        busy = {
            name: max(one[i] for one in self.busy.values()) / ghz
            for i, name in enumerate(PIPES)
            if any(one[i] for one in self.busy.values())
        }
        last = max((max(free) for free in self.free.values()), default=0.0) / ghz
        return Timeline(
            kernel, chip.name, ghz, self.costs.stated_error, cores, executed, last, floor, busy,
            dict(self.stalls), self.bars, self.count, left_out,
        )  # fmt: skip
