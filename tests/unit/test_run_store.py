"""The store of runs: what is saved is there, whatever happens, and trouble is named."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys

import pytest

from workbench.bench import recording
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.store import VERSION, Store
from workbench.errors import DataFileError, InputError, UnknownNameError
from workbench.measurement import Provenance

SAVER = """
import sys, itertools
from workbench.bench.records import LaneRecord, Run
from workbench.bench.store import Store
store = Store(sys.argv[1])
for _ in itertools.count():
    lane = LaneRecord("numpy")
    run = Run("saxpy", 9, "elements", "warm", 1, 1.0, "numpy", {"numpy": lane}, "here")
    for chunk in range(3):
        for number in range(200):
            lane.add(number, 1000.0 + number, 0, 0, 0)
        store.save(run)
        print(run.uuid, len(lane.samples_ns), flush=True)
"""


def make_run(samples=50, label="numpy"):
    lane, control = LaneRecord(label), LaneRecord(CONTROL, control_of=label)
    for number in range(samples):
        lane.add(number, 1000.0 + number, number % 3, 0, 0)
        control.add(number, 1001.0 + number, number % 3, 1, 0)
    lane.audits, lane.max_abs_error, lane.first_call_ns = 3, 1e-7, 5000
    lanes = {label: lane, CONTROL: control}
    run = Run("saxpy", 1000, "elements", "warm", 1, 2.0, label, lanes, "a machine")
    run.conditions.append({"wall_ns": 10, "load": 0.5, "throttled_share": 0.0})
    run.state, run.reason = "done", "time is up"
    return run


def test_a_run_comes_back_as_it_was_saved(tmp_path):
    store, run = Store(tmp_path / "runs.sqlite"), make_run()
    store.save(run, sweep="s")
    run.lanes["numpy"].add(50, 7.0, 0, 0, 0)
    store.save(run, sweep="s")
    loaded = store.load(run.uuid[:7])
    assert loaded.facts() == run.facts()
    assert loaded.lanes["numpy"].samples_ns == run.lanes["numpy"].samples_ns
    assert loaded.lanes[CONTROL].facts() == run.lanes[CONTROL].facts()
    assert store.uuids(sweep="s") == [run.uuid]
    assert store.uuids(sweep="other") == []
    store.delete(run.uuid)
    assert store.uuids() == []


def test_nothing_that_was_saved_is_lost_when_the_process_is_killed(tmp_path):
    path, dice = tmp_path / "runs.sqlite", random.Random(1)
    saved = {}
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(dice.randrange(1, 12)):
            uuid, count = child.stdout.readline().split()
            saved[uuid] = int(count)
        os.kill(child.pid, signal.SIGKILL)
        for line in child.stdout.read().splitlines():
            if line.count(" ") == 1:
                saved[line.split()[0]] = int(line.split()[1])
        child.stdout.close()
        child.wait()
    store = Store(path)
    for uuid, count in saved.items():
        assert len(store.load(uuid).lanes["numpy"].samples_ns) >= count
    assert all(store.load(uuid).facts() for uuid in store.uuids())


def test_an_unknown_run_names_the_near_ones(tmp_path):
    with pytest.raises(UnknownNameError, match="stored run"):
        Store(tmp_path / "runs.sqlite").load("abc")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(b"this is no database" * 99), "not a store"),
        (lambda path: _set_version(path, VERSION + 1), "newer workbench"),
        (lambda path: _damage(path), "damaged"),
    ],
)
def test_a_spoilt_store_is_named(tmp_path, spoil, message):
    path, run = tmp_path / "runs.sqlite", make_run()
    Store(path).save(run)
    spoil(path)
    with pytest.raises(DataFileError, match=message):
        Store(path).load(run.uuid)


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE runs SET facts = '{torn' WHERE uuid = ?",
        "UPDATE runs SET facts = '{\"x\": 1}' WHERE uuid = ?",
        "UPDATE runs SET conditions = x'ff00' WHERE uuid = ?",
        "UPDATE lanes SET facts = '{}' WHERE run = ?",
    ],
)
def test_a_damaged_run_is_named_and_can_be_deleted_and_the_others_are_read(tmp_path, spoil):
    path, bad, good = tmp_path / "runs.sqlite", make_run(), make_run()
    store = Store(path)
    store.save(bad)
    store.save(good)
    db = sqlite3.connect(path)
    db.execute(spoil, (bad.uuid,))
    db.commit()
    db.close()
    with pytest.raises(DataFileError, match=f"damaged.*\n.*{bad.uuid[:8]}"):
        store.load(bad.uuid)
    assert store.load(good.uuid).lanes["numpy"].samples_ns
    store.delete(bad.uuid)
    assert store.uuids() == [good.uuid]


def test_a_store_whose_tables_have_lost_their_names_is_named(tmp_path):
    path = tmp_path / "runs.sqlite"
    Store(path).save(make_run())
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE", b"\xff\xfeEATE TABLE"))
    with pytest.raises(DataFileError, match="store"):
        Store(path).uuids()


def test_a_store_in_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFileError, match="WORKBENCH_STORE"):
        Store(tmp_path / "file" / "runs.sqlite")


def test_a_full_disk_is_named_and_what_was_saved_stays(tmp_path, monkeypatch):
    store, run = Store(tmp_path / "runs.sqlite"), make_run()
    store.save(run)
    connect = sqlite3.connect

    def small(*arguments, **options):
        db = connect(*arguments, **options)
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {pages}")
        return db

    monkeypatch.setattr(sqlite3, "connect", small)
    with pytest.raises(DataFileError, match="full"):
        store.save(make_run(samples=20_000))
    monkeypatch.setattr(sqlite3, "connect", connect)
    assert store.uuids() == [run.uuid]


def test_a_race_goes_on_when_its_store_fails(tmp_path):
    from workbench.bench.session import RaceSession

    store = Store(tmp_path / "runs.sqlite")
    (tmp_path / "runs.sqlite").write_bytes(b"overwritten by somebody" * 99)
    session = RaceSession("saxpy", ["numpy"], size=1000, seconds=0.3, store=store)
    session.start().join(30)
    assert session.run.lanes["numpy"].samples_ns
    assert "not kept" in session.summary()["trouble"]


def test_a_recording_comes_back_as_recorded_whatever_it_says(tmp_path):
    run = make_run()
    path = recording.write_json([run], tmp_path / "r.json")
    (back,) = recording.read_json(path)
    assert not run.recorded
    assert back.recorded
    assert back.provenance_of(back.lanes["numpy"]) is Provenance.RECORDED
    assert back.lanes["numpy"].samples_ns == run.lanes["numpy"].samples_ns
    (measurement,) = back.measurements()
    assert (measurement.machine, measurement.provenance) == ("a machine", Provenance.RECORDED)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.update(format="other"),
        lambda d: d.update(version=99),
        lambda d: d["runs"][0].pop("machine"),
        lambda d: d["runs"][0].update(machine=""),
        lambda d: d["runs"][0].update(size="1000"),
        lambda d: d["runs"][0].update(baseline="nobody"),
        lambda d: d["runs"][0]["lanes"][0]["samples_ns"].pop(),
        lambda d: d["runs"][0]["lanes"][0]["samples_ns"].__setitem__(0, -1.0),
        lambda d: d["runs"][0]["lanes"][0]["samples_ns"].__setitem__(0, "x"),
        lambda d: d["runs"][0]["lanes"][0].update(label={"a": 1}),
        lambda d: d["runs"][0]["lanes"][0]["blocks"].__setitem__(0, 99),
        lambda d: d.update(runs=7),
        lambda d: d.update(runs=[]),
        lambda d: d["runs"][0].update(batch=0),
        lambda d: d["runs"][0].update(size=True),
        lambda d: d["runs"][0].update(uuid=""),
        lambda d: d["runs"][0].update(started_at="yesterday"),
        lambda d: d["runs"][0].update(conditions=[{"load": 1.0}]),
        lambda d: d["runs"][0]["conditions"][0].update(load="much"),
        lambda d: d["runs"][0]["lanes"][1].update(control_of="nobody"),
        lambda d: d["runs"][0]["lanes"][0].update(error="broken"),
        lambda d: d["runs"][0]["lanes"][0].update(error={"kind": "x"}),
        lambda d: d["runs"][0]["lanes"][0].update(notes=[{"a": 1}]),
        lambda d: d["runs"][0]["lanes"][0].update(first_call_ns="abc"),
        lambda d: d["runs"][0]["lanes"][0].update(max_abs_error="abc"),
        lambda d: d["runs"][0]["lanes"][0]["samples_ns"].__setitem__(0, 0.0),
        lambda d: d["runs"][0]["lanes"][0]["rounds"].__setitem__(1, 0),
    ],
)
def test_a_recording_with_a_fault_is_refused(tmp_path, spoil):
    path = recording.write_json([make_run()], tmp_path / "r.json")
    document = json.loads(path.read_text())
    spoil(document)
    path.write_text(json.dumps(document))
    with pytest.raises(DataFileError, match="not a recording"):
        recording.read_json(path)


def test_a_pickle_or_a_torn_file_is_refused(tmp_path):
    import pickle

    path = tmp_path / "r.json"
    for content in (pickle.dumps(print), b"", b'{"format": "workbench-rec', b"[NaN]", b"[" * 9**6):
        path.write_bytes(content)
        with pytest.raises(DataFileError, match="not a recording"):
            recording.read_json(path)


def test_parquet_has_one_row_for_each_sample(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the `parquet` extra")
    table = parquet.read_table(recording.write_parquet([make_run()], tmp_path / "r.parquet"))
    assert table.num_rows == 100
    assert table.column("latency_ns").to_pylist()[:2] == [1000.0, 1001.0]
    assert set(table.column("provenance").to_pylist()) == {"measured"}


def test_runs_of_different_work_are_not_compared(tmp_path):
    from workbench.bench import against
    from workbench.errors import IncomparableMeasurementsError

    one, other = make_run(), make_run()
    assert against.runs(one, other)["numpy"].verdict == "same"
    other.size = 2000
    with pytest.raises(IncomparableMeasurementsError, match="size"):
        against.runs(one, other)
    with pytest.raises(InputError, match="no target in common"):
        against.runs(one, make_run(label="torch_cpu"))


def _set_version(path, version):
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {version}")
    db.commit()
    db.close()


def _damage(path):
    db = sqlite3.connect(path)
    db.execute("UPDATE chunks SET samples_ns = zeroblob(length(samples_ns))")
    db.commit()
    db.close()
