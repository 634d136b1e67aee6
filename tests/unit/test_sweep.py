"""Sweeps: resumable, and a child lost half way loses nothing that was measured."""

import os
import signal
import time

import psutil
import pytest

from workbench.bench.store import Store
from workbench.bench.sweep import Cell, Sweep, usual_sizes
from workbench.errors import InputError


def test_a_sweep_measures_every_cell_and_resumes_by_name(tmp_path):
    store, events = Store(tmp_path / "runs.sqlite"), []
    options = {"sizes": [100, 300], "seconds": 0.3, "store": store}
    sweep = Sweep("mine", ["saxpy"], ["numpy"], **options)
    sweep.subscribe(events.append)
    sweep.run()
    kinds = [event["event"] for event in events if event["event"] != "progress"]
    assert kinds == ["started", "measured", "started", "measured", "finished"]
    assert any(event["event"] == "progress" for event in events)
    assert sweep.complete() == {Cell("saxpy", 100), Cell("saxpy", 300)}
    again = Sweep("mine", ["saxpy"], ["numpy"], **{**options, "sizes": [100, 300, 500]})
    again.subscribe(events.append)
    events.clear()
    again.run()
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        *("skipped", "skipped", "started", "measured", "finished")
    ]
    assert [run.size for run in again.runs()] == [100, 300, 500]


def test_a_child_that_is_killed_half_way_loses_nothing(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    sweep = Sweep("mine", ["saxpy"], ["numpy"], sizes=[100], seconds=30, store=store)
    sweep.start()
    seen = 0
    for _ in range(300):
        time.sleep(0.1)
        seen = len(sweep.session.run.lanes["numpy"].samples_ns) if sweep.session else 0
        children = psutil.Process().children()
        if seen > 100 and children:
            break
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    time.sleep(1)
    sweep.stop()
    sweep.join(30)
    (run,) = sweep.runs()
    assert len(run.lanes["numpy"].samples_ns) >= seen > 100
    assert sweep.complete() == set()


def test_a_target_that_cannot_run_it_is_left_out_and_named(tmp_path):
    events = []
    sweep = Sweep(
        *("s", ["saxpy"], ["numpy", "torch_npu"]),
        sizes=[50],
        seconds=0.2,
        store=Store(tmp_path / "runs.sqlite"),
    )
    sweep.subscribe(events.append)
    sweep.run()
    assert [e["target"] for e in events if e["event"] == "left out"] == ["torch_npu"]
    assert sweep.complete()


def test_sizes_surround_the_usual_one():
    assert usual_sizes(1000) == [10, 32, 100, 316, 1000]


def test_a_sweep_without_a_name_or_a_problem_is_refused(tmp_path):
    with pytest.raises(InputError, match="name"):
        Sweep("", ["saxpy"])
    with pytest.raises(InputError, match="problem"):
        Sweep("x", [], store=Store(tmp_path / "s.sqlite"))
