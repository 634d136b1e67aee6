"""Time lanes in random order, round after round, on fresh contents.

This is the inner loop. A round times every lane once, in an order drawn anew, on the same inputs:
what disturbs one lane of a round is likely to disturb the others, and the ratio inside a round
cancels it. One call is one sample; the clock is read just before and just after the call.

The clock is bound when this module is imported, before any learner's code runs, and each call is
also timed from outside by a second clock. Whether a call is audited is decided after it ended, so
that no call can behave well because it is watched.

It refuses to judge (that happens in another process), to drop samples and to average.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.bench import conditions
from workbench.bench.feeder import Feeder

CLOCK: Callable[[], int] = time.perf_counter_ns
BLOCK_NS = 100_000_000
"""How long a block lasts before its samples are handed over: ten pictures a second."""
BLOCK_ROUNDS = 250
SLOW = 10.0
"""A lane this many times slower than the median lane rests as long as it ran."""
MET, NEW, DECOY = 0, 1, 2
"""Contents met before, never seen before, and met before but just after new ones were made."""
_FRESH_SHARE = 0.1
_CLOCK_COST_NS = 1000


@dataclass
class Lane:
    """One racer: a label, a runner and what is known of it.

    Attributes
    ----------
    label : str
        Unique in the race.
    runner : Runner
        With ``load``, ``run`` and ``fetch``.
    trusted : bool
        Whether the runner is one of ours: only then may it report a clock of its own, and it is
        spared the checks against learner's code.
    measured : bool
        Whether its numbers are times, and not a model's predictions.
    last_ns, ended_ns : int
        How long the last call took, and when it ended.
    disagreed : int
        For how many calls of this block a second clock saw much more time than the first.
    left_threads : int
        How many calls came back with a thread more than they began with.
    """

    label: str
    runner: Any
    trusted: bool = True
    measured: bool = True
    last_ns: int = 0
    ended_ns: int = 0
    disagreed: int = 0
    left_threads: int = 0


@dataclass
class Block:
    """The samples of about a tenth of a second.

    `samples` holds ``(round, lane, ns, fresh, preempted)`` with the lane's place in `labels`, and
    `spans` the place in `conditions` of each sample; `disagreed` for how many calls of each lane
    the two clocks did not agree.
    """

    labels: list[str]
    samples: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    conditions: list[dict[str, Any]] = field(default_factory=list)
    disagreed: list[int] = field(default_factory=list)

    def close_span(self, seen: dict[str, Any]) -> None:
        """Say under which conditions the samples since the last span were taken."""
        if self.conditions and conditions.alike(seen, self.conditions[-1]):
            self.conditions[-1]["wall_ns"] += seen["wall_ns"]
        else:
            self.conditions.append(seen)
        new = len(self.samples) - len(self.spans)
        self.spans.extend([len(self.conditions) - 1] * new)


class Engine:
    """Runs rounds over lanes.

    Parameters
    ----------
    lanes : list of Lane
    feeder : Feeder
    cold : bool
        Whether the processor's caches are emptied before each call.
    on_start, on_error, on_audit : callable
        ``on_start(lane)`` before each call; ``on_error(lane, error)`` when one raised (the lane
        leaves the race); ``on_audit(lane, round, inputs)`` after a call that was chosen for it.
    """

    def __init__(
        self,
        lanes: list[Lane],
        feeder: Feeder,
        *,
        cold: bool = False,
        on_start: Callable[[Lane], None] = lambda lane: None,
        on_error: Callable[[Lane, BaseException], None],
        on_audit: Callable[[Lane, int, tuple[Any, ...]], None] = lambda lane, number, inputs: None,
        audit_share: float = 0.1,
    ):
        self.lanes, self.feeder = lanes, feeder
        self.on_start, self.on_error, self.on_audit = on_start, on_error, on_audit
        self.flush = flusher() if cold else None
        self.order = random.Random(random.SystemRandom().getrandbits(64))
        self.watch = conditions.Watch()
        self.rounds = 0
        self.audit_share, self.audit_cost_ns, self.audits = audit_share, 0, 0
        self.fresh_cost_ns = 0
        self.started_ns = CLOCK()

    def block(self, enough: Callable[[], bool] = lambda: False) -> Block:
        """Run whole rounds for about `BLOCK_NS` and return their samples."""
        racing = list(self.lanes)
        block = Block([lane.label for lane in racing])
        for lane in racing:
            lane.disagreed = 0
        places = {lane.label: at for at, lane in enumerate(self.lanes)}
        self.watch.skip()
        begin = CLOCK()
        with _quiet():
            for _ in range(BLOCK_ROUNDS):
                self._round(block, places)
                if CLOCK() - begin >= BLOCK_NS or not self.lanes or enough():
                    break
        block.close_span(self.watch.span())
        block.disagreed = [lane.disagreed for lane in racing]
        return block

    def _round(self, block: Block, places: dict[str, int]) -> None:
        fresh, inputs = self._inputs()
        due = self._due()
        self.order.shuffle(due)
        for lane in due:
            self.on_start(lane)
            try:
                sample = self._call(lane, inputs)
            except (Exception, SystemExit) as error:
                self.lanes.remove(lane)
                self.on_error(lane, error)
                continue
            block.samples.append((self.rounds, places[lane.label], sample[0], fresh, sample[1]))
            if CLOCK() - self.watch.at_ns >= self.watch.every_ns:
                block.close_span(self.watch.span())
            self._perhaps_audit(lane, inputs)
        self.rounds += 1

    def _call(
        self,
        lane: Lane,
        inputs: tuple[Any, ...],
        clock: Callable[[], int] = CLOCK,
        outside: Callable[[], int] = time.monotonic_ns,
    ) -> tuple[int, int]:
        """Time one call; return nanoseconds and how often the thread was taken off its core."""
        lane.runner.load(inputs)
        if self.flush is not None:
            self.flush()
        run = lane.runner.run
        threads = 0 if lane.trusted else threading.active_count()
        switched = _switches()
        before = outside()
        start = clock()
        own = run()
        end = clock()
        around = outside() - before
        lane.disagreed += around - (end - start) > 0.2 * around + _CLOCK_COST_NS
        lane.last_ns, lane.ended_ns = end - start, end
        if not lane.trusted:
            lane.left_threads += threading.active_count() > threads
        if lane.trusted and own is not None:
            # A device's clock cannot have seen more than the host waited; a model's is no clock.
            lane.disagreed += lane.measured and own > 1.05 * (end - start) + _CLOCK_COST_NS
            return int(own), _switches() - switched
        return end - start, _switches() - switched

    def _inputs(self) -> tuple[int, tuple[Any, ...]]:
        """Return a round's inputs and `MET`, `NEW` or `DECOY`; new ones while making is cheap.

        Making inputs disturbs the caches. So that new contents can be compared with met ones, in
        half of these rounds the new inputs are made and met ones are used.
        """
        start = CLOCK()
        if self.fresh_cost_ns > _FRESH_SHARE * (start - self.started_ns):
            return MET, self.feeder.next()
        made = self.feeder.fresh()
        self.fresh_cost_ns += CLOCK() - start
        if self.order.random() < 0.5:
            return DECOY, self.feeder.next()
        return NEW, self.feeder.keep(made)

    def _due(self) -> list[Lane]:
        """Return the lanes of this round: a much slower one rests as long as it ran."""
        costs = sorted(lane.last_ns for lane in self.lanes)
        limit = SLOW * costs[(len(costs) - 1) // 2] if costs else 0
        now = CLOCK()
        return [
            lane
            for lane in self.lanes
            if lane.last_ns <= max(limit, 1_000_000) or now - lane.ended_ns >= lane.last_ns
        ]

    def _perhaps_audit(self, lane: Lane, inputs: tuple[Any, ...]) -> None:
        """Audit this call if the dice say so and audits have not cost more than their share."""
        now = CLOCK()
        if self.audits >= 3 * len(self.lanes):
            if self.audit_cost_ns > self.audit_share * (now - self.started_ns):
                return
            if self.order.random() > 0.25:
                return
        elif self.order.random() > 0.5:
            return
        self.audits += 1
        try:
            self.on_audit(lane, self.rounds, inputs)
        except (Exception, SystemExit) as error:
            self.lanes.remove(lane)
            self.on_error(lane, error)
        self.audit_cost_ns += CLOCK() - now


def flusher() -> Callable[[], None]:
    """Return a function that pushes everything out of the processor's caches.

    It writes over twice the largest cache, so that no line of the buffers is left.
    """
    waste = np.zeros(2 * last_level_cache_bytes(), np.uint8)

    def flush() -> None:
        waste[::64] += 1

    return flush


def last_level_cache_bytes() -> int:
    """Return the size of the largest cache; 32 MiB where the system does not say."""
    sizes = []
    for name in ("SC_LEVEL2_CACHE_SIZE", "SC_LEVEL3_CACHE_SIZE", "SC_LEVEL4_CACHE_SIZE"):
        if name in os.sysconf_names:
            sizes.append(os.sysconf(name))
    return max(sizes, default=0) or 32 * 2**20


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the garbage collector out of the timed calls, and collect afterwards."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _switches() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw
