"""The inner loop: order, rounds, fresh contents, slow lanes, cold caches."""

import random
import time

import numpy as np
import pytest

from workbench import catalog
from workbench.bench import conditions
from workbench.bench.callables import CallableRunner
from workbench.bench.engine import DECOY, MET, NEW, Block, Engine, Lane, flusher
from workbench.bench.feeder import Feeder
from workbench.errors import InputError


class Fake:
    """A runner that notes what happens to it."""

    def __init__(self, seconds=0.0, own=None):
        self.seconds, self.own, self.seen = seconds, own, []

    def load(self, inputs):
        self.seen.append(inputs[1][:4].copy())

    def run(self):
        if self.seconds:
            time.sleep(self.seconds)
        return self.own

    def fetch(self):
        return ()


def build(*runners, **options):
    feeder = Feeder(catalog.load_problem("saxpy"), 64, random.Random(0))
    lanes = [Lane(f"lane{at}", runner) for at, runner in enumerate(runners)]
    errors = []
    engine = Engine(lanes, feeder, on_error=lambda *error: errors.append(error), **options)
    return engine, errors


def test_every_lane_runs_once_in_each_round_in_changing_order():
    engine, _ = build(Fake(), Fake(), Fake())
    orders = {}
    while len(orders) < 100:
        for number, place, *_ in engine.block().samples:
            orders.setdefault(number, []).append(place)
    assert all(sorted(order) == [0, 1, 2] for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 6


def test_contents_change_with_every_call_while_lanes_of_a_round_share_them():
    one, other = Fake(), Fake()
    engine, _ = build(one, other)
    block = engine.block()
    assert {sample[3] for sample in block.samples} == {MET, NEW, DECOY}
    assert all(np.array_equal(a, b) for a, b in zip(one.seen, other.seen, strict=True))
    whole = {array.tobytes() for array in one.seen}
    assert len(whole) > len(one.seen) / 20


def test_the_pool_is_stirred_so_that_no_contents_come_twice():
    feeder = Feeder(catalog.load_problem("saxpy"), 64, random.Random(0))
    seen = {b"".join(v.tobytes() for v in feeder.next()[1:]) for _ in range(300)}
    assert len(seen) > 290


def test_a_much_slower_lane_rests_as_long_as_it_ran():
    engine, _ = build(Fake(), Fake(), Fake(0.03))
    counts = {0: 0, 1: 0, 2: 0}
    for _ in range(16):  # many blocks: on a busy machine one may hold nothing of the slow lane
        for _, place, *_ in engine.block().samples:
            counts[place] += 1
    assert 2 <= counts[2] < 0.2 * counts[0]


def test_a_lane_that_raises_leaves_and_the_others_stay():
    class Broken(Fake):
        def run(self):
            raise RuntimeError("gone")

    engine, errors = build(Fake(), Broken())
    engine.block()
    assert [lane.label for lane in engine.lanes] == ["lane0"]
    assert str(errors[0][1]) == "gone"


def test_a_device_clock_that_saw_more_than_the_host_waited_is_noted():
    engine, _ = build(Fake(own=5e9), Fake(own=100.0))
    block = engine.block()
    assert block.disagreed[0] == len(block.samples) / 2
    assert block.disagreed[1] < 0.2 * len(block.samples)
    modelled = Engine(
        [Lane("model", Fake(own=5e9), measured=False)],
        engine.feeder,
        on_error=lambda *_: None,
    )
    block = modelled.block()
    assert block.disagreed[0] < 0.2 * len(block.samples)


def test_flushing_touches_more_than_the_largest_cache():
    flush = flusher()
    start = time.perf_counter()
    flush()
    assert time.perf_counter() - start > 1e-5


def test_a_callable_with_the_wrong_parameters_is_refused():
    problem = catalog.load_problem("saxpy")
    inputs = problem.inputs(8, 0)
    with pytest.raises(InputError, match="there are 3 inputs and 1 outputs"):
        CallableRunner(problem, lambda a: a, inputs)
    runner = CallableRunner(problem, lambda a, x, y: a * x + y, inputs)
    runner.run()
    assert problem.compare(runner.fetch(), inputs).ok


class Numbered:
    """A watch whose every reading differs from the one before."""

    def __init__(self, every_ns):
        self.every_ns, self.at_ns, self.count = every_ns, time.perf_counter_ns(), 0

    def skip(self):
        self.at_ns = time.perf_counter_ns()

    def span(self):
        self.skip()
        self.count += 1
        return {"wall_ns": 1, "load": self.count}


def test_slow_calls_have_readings_of_their_own_and_quick_ones_share_them():
    engine, _ = build(Fake(0.01), Fake(0.01))
    engine.watch = Numbered(every_ns=1_000_000)
    slow = engine.block()
    assert slow.spans == list(range(len(slow.samples)))
    engine, _ = build(Fake(), Fake())
    engine.watch = Numbered(every_ns=10**12)
    quick = engine.block()
    assert len(quick.samples) > 10
    assert quick.spans == [0] * len(quick.samples), "one reading ends the block"


def test_spans_that_say_the_same_are_kept_as_one():
    block = Block(["one"])
    for wall, load in ((5, 0.5), (6, 0.5), (7, 0.9)):
        block.samples.append((0, 0, 1, 0, 0))
        block.close_span({"wall_ns": wall, "load": load})
    assert block.conditions == [{"wall_ns": 11, "load": 0.5}, {"wall_ns": 7, "load": 0.9}]
    assert block.spans == [0, 0, 1]


def test_a_reading_is_repeated_when_a_hundredth_of_the_time_pays_for_it(monkeypatch):
    now, cost = [0], [20_000]

    class Priced(conditions.Watch):
        def read(self):
            now[0] += cost[0]
            return super().read()

    monkeypatch.setattr(conditions, "_NOW", lambda: now[0])
    watch = Priced()
    assert watch.every_ns == 100 * 20_000
    cost[0] = 50_000
    for _ in range(40):
        now[0] += 1_000_000
        assert watch.span()["wall_ns"] == 1_000_000, "reading is in no span"
    assert watch.every_ns == pytest.approx(100 * 50_000, rel=0.01)
