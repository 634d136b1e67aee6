"""Runs in files: export, and import of somebody else's recordings, as JSON or Parquet.

A recording is data only: JSON that is checked field by field, alone or beside the samples of a
Parquet table; nothing in it is ever executed or unpickled. What comes in keeps its machine and its
date, and is shown as *recorded*, whatever it says of itself.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench import catalog
from workbench.bench.records import LaneRecord, Run
from workbench.errors import DataFileError, InputError

FORMAT, VERSION = "workbench-recording", 1
KINDS = (".json", ".parquet")
CONDITIONS = ("load", "throttled_share", "stolen_share", "clock_mhz", "temperature_c")
LARGEST_BYTES = 256 * 2**20


def write(runs: Iterable[Run], path: str | Path) -> Path:
    """Write runs with all their samples, as ``.json`` or ``.parquet``, and return the path.

    Raises
    ------
    InputError
        Where the file's name ends in neither.
    UnavailableError
        Where Parquet is asked for and pyarrow is not installed.
    DataFileError
        Where the file cannot be written.
    """
    with writing(path):
        if _kind(path) == ".parquet":
            from workbench.bench import parquet

            return parquet.write(runs, path)
        return write_json(runs, path)
    raise AssertionError  # `writing` lets nothing through but its own error


def read(path: str | Path) -> list[Run]:
    """Return the runs of a recording, ``.json`` or ``.parquet``, marked as recorded.

    Raises
    ------
    DataFileError
        Where the file is not a recording, is damaged, or comes from a newer version.
    InputError, UnavailableError
        As `write`.
    """
    if _kind(path) == ".parquet":
        from workbench.bench import parquet

        return parquet.read(path)
    return read_json(path)


def shipped() -> dict[str, str]:
    """Return the recordings that ship, by name, each with where it was taken.

    Raises
    ------
    DataFileError
        Where one of them is damaged.
    """
    found = {}
    for path in sorted((catalog.folder("datasets") / "recordings").glob("*.json")):
        runs = read(path)
        places = dict.fromkeys(f"{run.where()}, {run.started_at[:10]}" for run in runs)
        found[path.stem] = "; ".join(places)
    return found


def require_place(path: str | Path) -> None:
    """Raise where no recording could be written at `path`, before anything is measured for it.

    Raises
    ------
    InputError
        As `write`.
    DataFileError
        Where there is no such folder, or it may not be written to.
    """
    _kind(path)
    folder = Path(path).resolve().parent
    if not (folder.is_dir() and os.access(folder, os.W_OK)) or Path(path).is_dir():
        raise DataFileError(
            "The recording cannot be written there.", str(path), "name a file in a folder of yours"
        )


def _kind(path: str | Path) -> str:
    kind = Path(path).suffix
    if kind not in KINDS:
        raise InputError("A recording is JSON or Parquet.", str(path), "name it .json or .parquet")
    return kind


def document(runs: Iterable[Run], lane_out: Callable[[LaneRecord], dict]) -> dict[str, Any]:
    """Return runs as plain data, their lanes as `lane_out` gives them."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "runs": [
            {
                **run.facts(),
                "conditions": run.conditions,
                "lanes": [lane_out(lane) for lane in run.lanes.values()],
            }
            for run in runs
        ],
    }


def write_json(runs: Iterable[Run], path: str | Path) -> Path:
    """Write runs with all their samples as JSON and return the path."""
    text = json.dumps(document(runs, _lane_out), allow_nan=False)
    path = Path(path)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_json(path: str | Path) -> list[Run]:
    """Return the runs of a recording in JSON, marked as recorded; raises as `read`."""
    path = Path(path)
    with reading(path):
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"{path.stat().st_size:,} bytes; the largest is {LARGEST_BYTES:,}")
        return runs_of(path.read_text(encoding="utf-8"))
    raise AssertionError  # `reading` lets nothing through but its own error


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn what keeps a file from being written into `DataFileError`."""
    try:
        yield
    except OSError as error:
        raise DataFileError(
            "The file cannot be written.", f"{path}: {error}", "name a place of your own"
        ) from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a file's content may raise into `DataFileError`."""
    try:
        yield
    except _FAULTS as error:
        raise DataFileError(
            "That file is not a recording that can be used.",
            f"{path.name}: {type(error).__name__}: {error}",
            f"export it again with `workbench results --export FILE{path.suffix}`",
        ) from error


def runs_of(text: str, complete: Callable[[dict], None] = lambda found: None) -> list[Run]:
    """Return the runs of a document, after `complete` has put in what lies elsewhere."""
    found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    if found["version"] > VERSION:
        raise ValueError(f"version {found['version']}; this workbench knows {VERSION}")
    if not found["runs"]:
        raise ValueError("no run is in it")
    complete(found)
    return [_run_in(one) for one in found["runs"]]


def _lane_out(lane: LaneRecord) -> dict[str, Any]:
    columns = {name: getattr(lane, name).tolist() for name, _ in LaneRecord.COLUMNS}
    return {**lane.facts(), **columns}


def _run_in(entry: dict[str, Any]) -> Run:
    facts = {name: entry[name] for name in Run.FACTS if name != "batch"}
    facts["batch"] = entry.get("batch", 1)  # recordings of before there were batches
    _check(facts, _KINDS)
    if not (facts["machine"] and facts["uuid"]):
        raise ValueError("it does not say on which machine it was taken, or has no identity")
    datetime.fromisoformat(facts["started_at"])
    if min(facts["size"], facts["batch"], facts["threads"], facts["seconds"]) <= 0:
        raise ValueError("its size, batch, threads and seconds are not all above zero")
    conditions = [dict(block) for block in entry["conditions"]]
    for block in conditions:
        _check({name: block.get(name) for name in _CONDITIONS}, _CONDITIONS)
    lanes = [_lane_in(lane, len(conditions)) for lane in entry["lanes"]]
    by_label = {lane.label: lane for lane in lanes}
    named = {facts["baseline"], *(lane.control_of for lane in lanes if lane.control_of)}
    if not named <= by_label.keys() or len(by_label) != len(lanes):
        raise ValueError("its lanes do not fit its baseline and its control")
    facts |= {"recorded": True}
    return Run(**facts, lanes=by_label, conditions=conditions)


def _lane_in(entry: dict[str, Any], blocks: int) -> LaneRecord:
    _check(entry, _LANE_KINDS)
    if entry["error"] is not None:
        _check(entry["error"], _ERROR_KINDS)
    if not all(isinstance(note, str) for note in entry["notes"]):
        raise TypeError(f"notes are {entry['notes']!r}")
    lane = LaneRecord.from_facts({name: entry[name] for name in LaneRecord.FACTS})
    for name, kind in LaneRecord.COLUMNS:
        setattr(lane, name, array(kind, entry[name]))
    if len({len(getattr(lane, name)) for name, _ in LaneRecord.COLUMNS}) != 1:
        raise ValueError(f"the columns of {lane.label} differ in length")
    if not all(math.isfinite(ns) and ns > 0 for ns in lane.samples_ns):
        raise ValueError(f"{lane.label} has latencies that are no durations")
    if not all(one < other for one, other in itertools.pairwise(lane.rounds)):
        raise ValueError(f"the rounds of {lane.label} are not in order")
    if lane.blocks and not 0 <= min(lane.blocks) <= max(lane.blocks) < blocks:
        raise ValueError(f"{lane.label} names conditions that are not there")
    return lane


def _check(facts: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Refuse facts that are not of their kinds; a truth value is no number."""
    for name, kind in kinds.items():
        if not isinstance(facts[name], kind) or isinstance(facts[name], bool):
            raise TypeError(f"{name} is {facts[name]!r}")


_FAULTS = (
    OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
_NUMBER, _NO_NUMBER_YET = (int, float), (int, float, type(None))
_KINDS: dict[str, Any] = {
    **dict.fromkeys(("uuid", "problem", "size_means", "cache", "baseline"), str),
    **dict.fromkeys(("machine", "started_at", "state", "reason"), str),
    **dict.fromkeys(("size", "batch", "threads", "bytes_moved", "operations"), int),
    **dict.fromkeys(("seconds",), _NUMBER),
    **dict.fromkeys(("environment",), dict),
}
_LANE_KINDS: dict[str, Any] = {
    **dict.fromkeys(("label", "control_of", "provenance", "model", "stated_error"), str),
    **dict.fromkeys(("audits", "disagreed"), int),
    **dict.fromkeys(("first_call_ns", "prepare_ns", "max_abs_error"), _NO_NUMBER_YET),
    "notes": list,
    "error": (dict, type(None)),
}
_ERROR_KINDS: dict[str, Any] = dict.fromkeys(("kind", "happened", "saw", "advice"), str)
_CONDITIONS: dict[str, Any] = {
    "wall_ns": _NUMBER,
    **dict.fromkeys(CONDITIONS, _NO_NUMBER_YET),
}


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not a number that JSON has")
