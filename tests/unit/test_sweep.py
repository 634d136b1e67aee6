"""Sweeps: resumable, and a child lost half way loses nothing that was measured."""

import os
import signal
import sqlite3
import time

import psutil
import pytest

from workbench.bench import fingerprint
from workbench.bench.conductor import SURE
from workbench.bench.records import LaneRecord, Run
from workbench.bench.store import Store
from workbench.bench.sweep import Cell, Sweep, usual_sizes
from workbench.errors import DataFileError, InputError, UnknownNameError


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


def test_what_cannot_run_here_is_never_complete_because_something_else_is(tmp_path):
    store, events = Store(tmp_path / "runs.sqlite"), []
    kept(store, ["numpy"])
    for targets in (["torch_npu"], ["numpy", "torch_npu"]):
        sweep = Sweep("s", ["saxpy"], targets, sizes=[50], store=store)
        sweep.subscribe(events.append)
        sweep.run()
    kinds = [event["event"] for event in events]
    alone = ["started", "left out", "failed", "finished"]
    assert kinds == [*alone, "left out", "skipped", "finished"]
    assert [e["target"] for e in events if e["event"] == "left out"] == ["torch_npu"] * 2


def test_scaling_reads_the_samples_of_what_it_draws_and_names_what_is_damaged(
    tmp_path, monkeypatch
):
    from workbench import Scaling

    store = Store(tmp_path / "runs.sqlite")
    for number in range(3):
        kept(store, ["numpy"], started_at=f"2026-01-0{number + 1}T00:00:00+00:00")
    last = store.uuids()[-1]
    with_samples, load = [], Store.load

    def counted(self, uuid, *, samples=True):
        with_samples.extend([uuid] * samples)
        return load(self, uuid, samples=samples)

    monkeypatch.setattr(Store, "load", counted)
    sweep = Sweep("s", ["saxpy"], ["numpy"], sizes=[50], store=store)
    assert not Scaling(sweep).view["trouble"]
    assert with_samples == [last]
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE runs SET facts = '{torn' WHERE uuid = ?", (last,))
    db.close()
    chart = Scaling(sweep)
    assert "damaged" in chart.view["trouble"]
    assert last[:8] in chart.view["trouble"]


def test_sizes_surround_the_usual_one():
    assert usual_sizes(1000) == [10, 32, 100, 316, 1000]


def test_a_sweep_without_a_name_or_a_problem_is_refused(tmp_path):
    with pytest.raises(InputError, match="name"):
        Sweep("", ["saxpy"])
    with pytest.raises(InputError, match="problem"):
        Sweep("x", [], store=Store(tmp_path / "s.sqlite"))


def kept(store, lanes, **different):
    """Store a complete run of the sweep "s" as if it had been measured here."""
    facts = {"cache": "warm", "threads": 1, "machine": fingerprint.machine(), "seconds": 3.0}
    run = Run(
        *("saxpy", 50, "elements"),
        baseline=lanes[0],
        lanes={label: LaneRecord(label) for label in lanes},
        state="done",
        **{"reason": "time is up", **facts, **different},
    )
    store.save(run, sweep="s")
    return run


@pytest.mark.parametrize(
    ("lanes", "different", "complete"),
    [
        (["numpy", "torch_cpu", "ort_cpu"], {}, True),
        (["numpy"], {}, False),
        (["numpy", "torch_cpu"], {"batch": 4}, False),
        (["numpy", "torch_cpu"], {"cache": "cold"}, False),
        (["numpy", "torch_cpu"], {"machine": "another"}, False),
        (["numpy", "torch_cpu"], {"seconds": 2.9}, False),
        (["numpy", "torch_cpu"], {"seconds": 30.0}, True),
        (["numpy", "torch_cpu"], {"reason": "stopped"}, False),
        (["numpy", "torch_cpu"], {"reason": SURE}, False),
    ],
)
def test_only_a_cell_with_every_wanted_target_measured_alike_is_complete(
    tmp_path, lanes, different, complete
):
    store = Store(tmp_path / "runs.sqlite")
    kept(store, lanes, **different)
    sweep = Sweep("s", ["saxpy"], ["numpy", "torch_cpu"], sizes=[50], store=store)
    assert sweep.complete() == ({Cell("saxpy", 50)} if complete else set())
    drawn_apart = {"batch", "cache", "machine"} & different.keys()
    assert len(sweep.runs()) == (not drawn_apart)


def test_a_sweep_under_another_batch_is_drawn_apart(tmp_path):
    from workbench import Scaling

    store = Store(tmp_path / "runs.sqlite")
    kept(store, ["numpy"])
    kept(store, ["numpy"], batch=4)
    sweep = Sweep("s", ["saxpy"], ["numpy"], sizes=[50], store=store, batch=4)
    assert [run.batch for run in sweep.runs()] == [4]
    assert Scaling(sweep).view["problem"] == "saxpy"


def test_an_option_that_no_race_has_is_refused(tmp_path):
    with pytest.raises(InputError, match="bacth"):
        Sweep("s", ["saxpy"], store=Store(tmp_path / "runs.sqlite"), bacth=2)


def test_a_sweep_says_at_its_start_that_its_store_is_gone(tmp_path):
    from workbench import Scaling

    path = tmp_path / "runs.sqlite"
    sweep = Sweep("s", ["saxpy"], ["numpy"], sizes=[50], store=Store(path))
    chart = Scaling(sweep)
    path.write_bytes(b"this is no database" * 99)
    with pytest.raises(DataFileError, match="not a store"):
        chart.start()
    assert chart.view["state"] == "new"


def test_a_problem_that_the_sweep_does_not_have_is_named(tmp_path):
    from workbench import Scaling

    sweep = Sweep("s", ["saxpy"], ["numpy"], store=Store(tmp_path / "runs.sqlite"))
    with pytest.raises(UnknownNameError, match="matmul"):
        Scaling(sweep, problem="matmul")


def test_a_sweep_that_may_stop_when_sure_is_content_with_a_run_that_did(tmp_path):
    store = Store(tmp_path / "runs.sqlite")
    kept(store, ["numpy"], reason=SURE, seconds=60.0)
    sweep = Sweep("s", ["saxpy"], ["numpy"], sizes=[50], store=store, until_sure=True)
    assert sweep.complete() == {Cell("saxpy", 50)}


def test_a_sweep_looks_at_its_kept_runs_once_when_it_starts(tmp_path, monkeypatch):
    store, loaded = Store(tmp_path / "runs.sqlite"), []
    kept(store, ["numpy"])
    load = store.load
    monkeypatch.setattr(store, "load", lambda uuid, **how: loaded.append(uuid) or load(uuid, **how))
    sweep = Sweep("s", ["saxpy"], ["numpy"], sizes=[50], store=store)
    sweep.start().join(30)
    assert len(loaded) == 1


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("s", "saxpy"), {}, "problems must be a list"),
        (("s", 3), {}, "problems must be a list"),
        (("s", ["saxpy"], "numpy"), {}, "targets must be a list"),
        (("s", ["saxpy"], [3]), {}, "targets hold"),
        (("s", ["saxpy"]), {"sizes": 100}, "sizes must be a list"),
        (("s", ["saxpy"]), {"seconds": "3"}, "cannot be set up"),
        (("s", ["saxpy"]), {"cache": "hot"}, "cannot be set up"),
        ((3, ["saxpy"]), {}, "needs a name"),
    ],
)
def test_a_sweep_that_cannot_be_is_refused_before_it_starts(tmp_path, arguments, options, message):
    with pytest.raises(InputError, match=message):
        Sweep(*arguments, store=Store(tmp_path / "runs.sqlite"), **options)
