"""Verdicts, intervals, warm-up and drift, on samples whose truth is known."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.bench import compare, conditions, fingerprint, floor
from workbench.bench.compare import Verdict
from workbench.bench.records import LaneRecord
from workbench.bench.warmup import steady_from


def lane(samples, label="lane", first_round=0):
    record = LaneRecord(label)
    for number, ns in enumerate(samples):
        record.add(first_round + number, float(ns), 0, 0, 0)
    return record


def noisy(middle_ns, count=400, spread=0.05, seed=0):
    rng = np.random.default_rng(seed)
    return middle_ns * np.exp(spread * np.abs(rng.standard_normal(count)))


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (1.0, Verdict.SAME),
        (1.2, Verdict.FASTER),
        (0.8, Verdict.SLOWER),
        (1.05, Verdict.FASTER),
        (0.95, Verdict.SLOWER),
    ],
)
def test_a_true_ratio_gets_its_verdict(ratio, verdict):
    found = compare.compare(lane(noisy(1e5 / ratio, seed=1)), lane(noisy(1e5, seed=2)))
    assert found.verdict is verdict
    assert found.low <= ratio * 1.01
    assert found.high >= ratio * 0.99


def test_too_much_noise_is_inconclusive_and_not_a_difference():
    found = compare.compare(lane(noisy(1e5, 60, 1.0, seed=1)), lane(noisy(1.01e5, 60, 1.0, seed=2)))
    assert found.verdict is Verdict.INCONCLUSIVE


def test_noise_that_both_lanes_share_cancels_inside_the_round():
    mood = np.exp(np.cumsum(np.random.default_rng(3).standard_normal(600)) * 0.05)
    found = compare.compare(
        lane(noisy(1e5, 600, 0.01, seed=1) * mood), lane(noisy(1.05e5, 600, 0.01, seed=2) * mood)
    )
    assert found.verdict is Verdict.FASTER
    assert found.speedup == pytest.approx(1.05, rel=0.01)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.5, 2.0), st.floats(0.001, 0.3), st.integers(0, 10**6))
def test_swapping_the_lanes_inverts_the_comparison(ratio, spread, seed):
    one, other = (
        lane(noisy(1e5, 200, spread, seed)),
        lane(noisy(1e5 * ratio, 200, spread, seed + 1)),
    )
    there, back = compare.compare(one, other), compare.compare(other, one)
    assert there.speedup == pytest.approx(1 / back.speedup)
    opposite = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    assert {there.verdict, back.verdict} != {Verdict.FASTER}
    if Verdict.INCONCLUSIVE not in (there.verdict, back.verdict):
        assert back.verdict is opposite.get(there.verdict, there.verdict)


def test_only_rounds_that_both_lanes_ran_are_compared():
    found = compare.compare(lane([1e5] * 100, first_round=50), lane([2e5] * 100))
    assert found.rounds == 50
    assert compare.compare(lane([1e5] * 100, first_round=500), lane([1e5] * 100)) is None


def test_the_threshold_rises_to_what_the_control_shows():
    control = compare.compare(lane([1.03e5] * 100), lane([1e5] * 100))
    assert compare.noise_threshold(None) == compare.THRESHOLD
    assert compare.noise_threshold(control) == pytest.approx(0.03, rel=0.01)
    small = compare.compare(lane([1e5] * 100), lane([1.02e5] * 100), 0.03)
    assert small.verdict is Verdict.SAME


def test_warm_up_is_found_where_it_ends():
    slow_start = np.concatenate([np.linspace(5e5, 1e5, 60), noisy(1e5, 400, 0.02)])
    assert 40 <= steady_from(slow_start) <= 75
    assert steady_from(noisy(1e5, 400, 0.02)) <= 40
    assert steady_from([1e5] * 5) is None


def test_a_series_that_never_settles_is_said_to_be_so():
    assert steady_from(np.linspace(1e5, 9e5, 400)) is None


def test_a_lane_that_becomes_slower_is_told_of_and_the_machines_own_drift_is_not():
    hot = noisy(1e5, 300, 0.02) * np.linspace(1, 1.5, 300)
    steady = lane(noisy(1e5, 300, 0.02, seed=5))
    assert compare.drift(lane(hot), steady) > 1.2
    assert compare.drift(steady, None) is None
    mood = np.linspace(1, 1.5, 300)
    assert (
        compare.drift(lane(noisy(1e5, 300, 0.02) * mood), lane(noisy(2e5, 300, 0.02) * mood))
        is None
    )


def test_throttling_becomes_a_plain_sentence():
    block = {"wall_ns": 100, "load": 0.5, "clock_mhz": None, "temperature_c": None}
    spoilt = [{**block, "throttled_share": 0.38, "stolen_share": 0.0}] * 3
    assert conditions.sentences(spoilt, 2) == [
        "Throttled by the container's limit 38% of the time: do not trust this."
    ]
    assert conditions.sentences([{**block, "throttled_share": 0.0, "stolen_share": None}], 2) == []


def test_conditions_between_two_readings_are_shares_of_the_time():
    before = {"throttled_us": 100.0, "steal_ticks": None, "busy_ticks": 1}
    after = {"throttled_us": 600.0, "steal_ticks": 3, "load": 1.0, "clock_mhz": None}
    found = conditions.between(before, {**after, "temperature_c": None}, 1_000_000)
    assert found["throttled_share"] == pytest.approx(0.5)
    assert found["stolen_share"] is None


def test_the_floor_is_below_what_this_machine_does_and_above_nothing():
    import time

    a = np.ones((256, 256), np.float32)
    a @ a
    start = time.perf_counter_ns()
    a @ a
    taken = time.perf_counter_ns() - start
    least = floor.processor_floor_ns(3 * a.nbytes, 2 * 256**3)
    assert 0 < least < taken
    assert floor.device_floor_ns("nvidia_h200", 1e9, 0) == pytest.approx(1e9 / 4.8e3, rel=0.05)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (0.92, 1.07, "between 0.92 and 1.07."),
        (0.9881, 0.9909, "between 0.988 and 0.991."),
        (1.00999, 1.01001, "between 1.00999 and 1.01001."),
        (12.31, 12.39, "between 12.3 and 12.4."),
    ],
)
def test_an_interval_is_told_with_as_many_digits_as_tell_its_ends_apart(low, high, words):
    found = compare.Comparison(1.0, low, high, compare.Verdict.INCONCLUSIVE, 0.01, 99, 0)
    assert compare.in_words("one", found, "other").endswith(words)


def test_a_machine_is_told_by_its_own_processors():
    span = {"wall_ns": 1, "load": 9.0}
    assert conditions.sentences([span], 16) == []
    assert "9.0 runnable processes for 2 processors" in conditions.sentences([span], 2)[0]
    assert fingerprint.processors("AMD EPYC, 16 processors, 25 GB, Linux x86_64") == 16
    assert fingerprint.processors(fingerprint.machine()) == os.cpu_count()


def test_one_odd_reading_of_the_clock_is_no_moving_clock():
    spans = [{"wall_ns": 1, "clock_mhz": 3000.0}] * 99
    assert conditions.sentences([*spans, {"wall_ns": 1, "clock_mhz": 800.0}], 2) == []
    moved = conditions.sentences(spans + [{"wall_ns": 1, "clock_mhz": 2000.0}] * 50, 2)
    assert moved == ["The clock rate moved between 2000 and 3000 MHz."]


def test_a_reading_that_the_system_refuses_is_unknown(monkeypatch):
    watch = conditions.Watch()
    monkeypatch.setattr(os, "pread", lambda *_: (_ for _ in ()).throw(OSError("no sensor")))
    assert set(watch.span().values()) - {watch.before["load"]}, "a span is still made"
    assert watch.read() == dict.fromkeys(watch.read())
    watch.close()
