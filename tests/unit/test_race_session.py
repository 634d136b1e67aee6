"""A race of callables, in its child process: what joins, what leaves, and why."""

import os
import threading

import numpy as np
import pytest

from workbench.bench.records import CONTROL
from workbench.bench.session import RaceSession
from workbench.errors import InputError, StoppedError, UnknownNameError


def plain(a, x, y):
    return a * x + y


def in_place(a, x, y, out):
    np.multiply(a, x, out=out)
    out += y


def wrong(a, x, y):
    return a * x


def raises(a, x, y):
    raise ValueError("not today")


def hangs(a, x, y):
    while True:
        pass


def dies(a, x, y):
    os._exit(3)


def test_a_lane_that_raises_hangs_dies_or_lies_leaves_and_the_others_go_on():
    lanes = [plain, in_place, wrong, raises, hangs, dies]
    session = RaceSession("saxpy", lanes, size=3000, seconds=0.6, hang_s=1.5)
    session.start().join(60)
    found = {record.label: record for record in session.records()}
    kinds = {label: record.error and record.error["kind"] for label, record in found.items()}
    assert kinds == {
        "plain": None,
        "in_place": None,
        CONTROL: None,
        "wrong": "WrongResultError",
        "raises": "ValueError",
        "hangs": "HungError",
        "dies": "CrashedError",
    }
    assert "exit code 3" in found["dies"].error["saw"]
    assert len(found["plain"].samples_ns) > 50
    assert found["plain"].audits > 0
    assert found["plain"].first_call_ns > 0


def test_stop_ends_a_race_at_once_and_keeps_what_was_measured():
    session = RaceSession("saxpy", [plain], size=1000, seconds=60)
    seen = []
    session.subscribe(lambda s: seen.append(s.run.state) or (s.run.state == "racing" and s.stop()))
    session.start().join(30)
    assert session.run.reason == "stopped"
    assert session.records()[0].samples_ns
    assert seen[-1] == "done"
    with pytest.raises(StoppedError, match="started before"):
        session.start()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("saxpi", [plain]), UnknownNameError, "saxpy"),
        (("saxpy", []), InputError, "needs a lane"),
        (("saxpy", [plain, plain]), InputError, "two lanes"),
        (("saxpy", [7]), InputError, "cannot race"),
        (("saxpy", ["nunpy"]), UnknownNameError, "numpy"),
    ],
)
def test_a_race_that_cannot_be_is_refused_before_it_starts(arguments, error, message):
    with pytest.raises(error, match=message):
        RaceSession(*arguments)


@pytest.mark.parametrize("options", [{"size": 0}, {"cache": "hot"}, {"seconds": 0}, {"threads": 0}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(InputError):
        RaceSession("saxpy", [plain], **options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": float("nan")},
        {"seconds": float("inf")},
        {"seconds": "3"},
        {"threads": 1.5},
        {"hang_s": None},
        {"cache": "hot"},
        {"batch": "4"},
    ],
)
def test_a_race_that_cannot_be_set_up_says_so_before_anything_runs(wrong):
    with pytest.raises(InputError, match=str(*wrong)):
        RaceSession("saxpy", ["numpy"], **wrong)


def test_what_is_no_problem_is_refused():
    with pytest.raises(InputError, match="no problem"):
        RaceSession(7, ["numpy"])


def test_a_function_that_cannot_travel_leaves_its_lane_and_the_others_race():
    lock = threading.Lock()

    def locked(a, x, y):
        with lock:
            return a * x + y

    session = RaceSession("saxpy", ["numpy", locked], size=100, seconds=0.3)
    session.start().join(60)
    numpy_lane, lane = session.records()[:2]
    assert len(numpy_lane.samples_ns) > 10
    assert "cannot be sent" in lane.error["happened"]
    assert "lock" in lane.error["saw"]
    alone = RaceSession("saxpy", [locked, "numpy"], size=100, seconds=0.3)
    alone.start().join(60)
    assert len(alone.records()[1].samples_ns) > 10, "the baseline and its control are out"
    assert alone.run.lanes[CONTROL].error
