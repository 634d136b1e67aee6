"""The store of runs: what is saved is there, whatever happens, and trouble is named."""

import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

import pytest

from workbench.bench import recording
from workbench.bench.database import VERSION
from workbench.bench.records import CONTROL, LaneRecord, Run
from workbench.bench.store import Store
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


def test_nothing_that_was_saved_is_lost_when_the_process_is_killed(tmp_path, start):
    path, dice = tmp_path / "runs.sqlite", random.Random(1)
    saved = {}
    for _ in range(6):
        child = start([sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(dice.randrange(1, 12)):
            uuid, count = child.stdout.readline().split()
            saved[uuid] = int(count)
        os.kill(child.pid, signal.SIGKILL)
        for line in child.stdout.read().splitlines():
            if line.count(" ") == 1:
                saved[line.split()[0]] = int(line.split()[1])
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
        "UPDATE spans SET facts = replace(facts, '0.5', '0.6') WHERE run = ?",
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


@pytest.fixture
def anybody(tmp_path_factory):
    """A folder outside of pytest's own, and a user who may not write there, even as root."""
    with tempfile.TemporaryDirectory() as name:
        folder, root = pathlib.Path(name), os.geteuid() == 0
        folder.chmod(0o755)
        yield folder, lambda: os.seteuid(65534 if root else os.geteuid())
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_store_in_a_read_only_folder_is_listed_compared_and_exported_but_keeps_nothing(anybody):
    from workbench.bench import against

    folder, leave = anybody
    one, other = make_run(), make_run()
    for run in (one, other):
        Store(folder / "runs.sqlite").save(run, sweep="s")
    folder.chmod(0o555)
    leave()
    store = Store(folder / "runs.sqlite")
    assert store.read_only
    assert store.uuids() == [one.uuid, other.uuid]
    loaded = store.load(one.uuid)
    assert loaded.facts() == one.facts()
    assert loaded.lanes["numpy"].samples_ns == one.lanes["numpy"].samples_ns
    assert against.runs(loaded, store.load(other.uuid))["numpy"].verdict == "same"
    for act in (lambda: store.save(make_run()), lambda: store.delete(one.uuid)):
        with pytest.raises(DataFileError, match="may only be read") as raised:
            act()
        assert "WORKBENCH_STORE" in raised.value.advice
    from workbench.bench.sweep import Sweep

    with pytest.raises(DataFileError, match="may only be read"):
        Sweep("s", ["saxpy"], ["numpy"], sizes=[50], store=store).start()


def test_a_store_of_which_a_part_is_still_in_its_log_is_not_taken_for_whole(anybody):
    folder, leave = anybody
    path = folder / "runs.sqlite"
    Store(path).save(make_run())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("UPDATE runs SET sweep = 'in the log'")
    for name in ("runs.sqlite", "runs.sqlite-wal"):
        shutil.copy(folder / name, folder / f"copied-{name}")
    db.close()
    folder.chmod(0o555)
    leave()
    with pytest.raises(DataFileError, match="not closed") as raised:
        Store(folder / "copied-runs.sqlite")
    assert "copied-runs.sqlite-wal" in raised.value.saw


def test_a_store_of_the_first_version_is_brought_up_to_date_and_keeps_its_runs(tmp_path):
    path, run = tmp_path / "runs.sqlite", make_run()
    store = Store(path)
    store.save(run)
    db = sqlite3.connect(path)
    db.execute("UPDATE runs SET conditions = ?", (json.dumps(run.conditions),))
    db.execute("DROP TABLE spans")
    db.execute("PRAGMA user_version = 1")
    db.commit()
    db.close()
    store = Store(path)
    assert store.load(run.uuid).conditions == run.conditions
    store.save(run)
    assert store.load(run.uuid).conditions == run.conditions, "nothing is there twice"


def test_conditions_are_appended_and_come_back_in_order(tmp_path):
    store, run = Store(tmp_path / "runs.sqlite"), make_run()
    for number in range(3):
        run.conditions += [{"wall_ns": number, "load": 0.5}] * number
        store.save(run)
    assert store.load(run.uuid).conditions == run.conditions


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


@pytest.mark.parametrize("kind", recording.KINDS)
def test_a_recording_comes_back_as_recorded_whatever_it_says(tmp_path, kind):
    needs(kind)
    run, failed = make_run(), LaneRecord("torch_cpu")
    failed.fail("ValueError", "not today")
    run.lanes["torch_cpu"] = failed
    (back,) = recording.read(recording.write([run], tmp_path / f"r{kind}"))
    assert back.facts() == run.facts() | {"recorded": True}
    assert back.conditions == run.conditions
    for label, lane in run.lanes.items():
        assert back.lanes[label].facts() == lane.facts()
        for name, _ in LaneRecord.COLUMNS:
            assert getattr(back.lanes[label], name) == getattr(lane, name), name
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


@pytest.mark.parametrize("kind", recording.KINDS)
def test_a_pickle_or_a_torn_file_is_refused(tmp_path, kind):
    import pickle

    needs(kind)
    path = tmp_path / f"r{kind}"
    whole = recording.write([make_run()], path).read_bytes()
    torn = [whole[: len(whole) // 2], whole[:-9] + b"123456789", b"PAR1" * 9]
    for content in (*torn, pickle.dumps(print), b"", b"[NaN]", b"[" * 9**6):
        path.write_bytes(content)
        with pytest.raises(DataFileError, match="not a recording"):
            recording.read(path)
    path.unlink()
    with pytest.raises(DataFileError, match="not a recording"):
        recording.read(path)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda table: table.replace_schema_metadata({}),
        lambda table: table.replace_schema_metadata({"workbench-recording": b"{"}),
        lambda table: table.drop_columns(["span"]),
        lambda table: table.set_column(0, "run", [["nobody"] * table.num_rows]),
        lambda table: table.set_column(
            table.column_names.index("latency_ns"), "latency_ns", [[-1.0] * table.num_rows]
        ),
        lambda table: table.slice(0, 30),
    ],
)
def test_a_table_that_does_not_fit_its_runs_is_refused(tmp_path, spoil):
    parquet = needs(".parquet")
    path = recording.write([make_run()], tmp_path / "r.parquet")
    parquet.write_table(spoil(parquet.read_table(path)), path)
    with pytest.raises(DataFileError, match="not a recording"):
        recording.read(path)


def test_another_kind_of_file_is_no_recording(tmp_path):
    with pytest.raises(InputError, match="JSON or Parquet"):
        recording.read(tmp_path / "r.pickle")
    with pytest.raises(InputError, match="JSON or Parquet"):
        recording.write([make_run()], tmp_path / "r.csv")


def needs(kind):
    if kind == ".parquet":
        return pytest.importorskip("pyarrow.parquet", reason="needs the `parquet` extra")
    return None


def test_parquet_has_one_row_for_each_sample(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the `parquet` extra")
    table = parquet.read_table(recording.write([make_run()], tmp_path / "r.parquet"))
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
