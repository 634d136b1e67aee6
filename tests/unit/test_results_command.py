"""``workbench results`` and ``workbench sweep``, as typed."""

import json
import sqlite3
from dataclasses import replace

import pytest

from workbench.bench.session import RaceSession
from workbench.bench.store import Store
from workbench.cli import main


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "runs.sqlite"))
    session = RaceSession("saxpy", ["numpy"], size=500, seconds=0.3, store=Store())
    return session.start().join(30).run


def typed(*words):
    try:
        return main(list(words)) or 0
    except SystemExit as end:
        return end.code or 0


def test_runs_are_listed_shown_drawn_exported_and_deleted(kept, tmp_path, capsys):
    assert typed("results") == 0
    assert kept.uuid[:8] in capsys.readouterr().out
    assert typed("results", kept.uuid[:8]) == 0
    assert "A/A control" in capsys.readouterr().out
    assert typed("results", kept.uuid, "--plot", str(tmp_path / "r.svg")) == 0
    assert (tmp_path / "r.svg").read_text().startswith("<svg")
    assert typed("results", "--export", str(tmp_path / "r.json")) == 0
    assert json.loads((tmp_path / "r.json").read_text())["runs"][0]["uuid"] == kept.uuid
    assert typed("results", kept.uuid, "--delete") == 0
    assert typed("results", "--import", str(tmp_path / "r.json")) == 0
    assert Store().load(kept.uuid).recorded


def test_a_picture_is_svg_and_says_so(kept, tmp_path, capsys):
    assert typed("results", kept.uuid, "--plot", str(tmp_path / "r.png")) == 2
    assert "name it .svg" in capsys.readouterr().err
    assert not (tmp_path / "r.png").exists()


def test_a_race_is_recorded_in_one_command_and_replayed(tmp_path, monkeypatch, capsys):
    from workbench import Replay

    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "runs.sqlite"))
    path = tmp_path / "saxpy_here.json"
    words = ("race", "saxpy", "--size", "500", "--targets", "numpy", "--seconds", "0.5", "--json")
    assert typed(*words, "--record", str(path)) == 0
    said = capsys.readouterr()
    assert "recorded in" in said.err
    state = json.loads(said.out)
    play = Replay(path)
    assert play.run.uuid == state["uuid"]
    assert play.caption().startswith("Recorded: saxpy, 500 elements")
    assert play.run.machine in play.caption()


@pytest.mark.parametrize("place", ["no/such/folder/r.json", "r.csv", ""])
def test_a_recording_that_cannot_be_written_is_refused_before_the_race(
    place, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(RaceSession, "start", lambda self: pytest.fail("it raced"))
    words = ("race", "saxpy", "--targets", "numpy", "--no-save", "--record")
    assert typed(*words, str(tmp_path / place)) == 2
    assert "Try: " in capsys.readouterr().err


def test_a_damaged_run_is_named_in_the_list_beside_the_others(kept, capsys):
    other = replace(kept, uuid="f" * 32)
    store = Store()
    store.save(other)
    with sqlite3.connect(store.path) as db:
        db.execute("UPDATE runs SET facts = '{torn' WHERE uuid = ?", (other.uuid,))
    db.close()
    assert typed("results") == 0
    said = capsys.readouterr()
    assert kept.uuid[:8] in said.out
    assert "damaged" in said.err
    assert "ffffffff" in said.err
    assert typed("results", "fff", "--delete") == 0
    assert store.uuids() == [kept.uuid]


@pytest.mark.parametrize(
    "words",
    [("results", "nobody"), ("results", "--compare"), ("results", "--export", "x.csv")],
)
def test_what_cannot_be_done_is_said_without_a_traceback(kept, words, capsys):
    assert typed(*words) != 0
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err


def test_a_sweep_in_which_a_cell_failed_does_not_end_well(kept, capsys):
    sweep = ("sweep", "saxpy", "--sizes", "50", "--seconds", "0.2")
    assert typed(*sweep, "--targets", "nmpy") == 1
    assert "did you mean numpy" in " ".join(capsys.readouterr().out.split())
    assert typed(*sweep, "--targets", "numpy") == 0
