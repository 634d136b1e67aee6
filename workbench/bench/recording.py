"""Runs in files: export to JSON and Parquet, and import of somebody else's recordings.

A recording is data only: JSON that is checked field by field, or Parquet; nothing in it is ever
executed or unpickled. What comes in keeps its machine and its date, and is shown as *recorded*,
whatever it says of itself.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.bench.records import LaneRecord, Run
from workbench.errors import DataFileError, UnavailableError

FORMAT, VERSION = "workbench-recording", 1
LARGEST_BYTES = 256 * 2**20


def write_json(runs: Iterable[Run], path: str | Path) -> Path:
    """Write runs with all their samples as JSON and return the path."""
    document = {
        "format": FORMAT,
        "version": VERSION,
        "runs": [
            {
                **run.facts(),
                "conditions": run.conditions,
                "lanes": [_lane_out(lane) for lane in run.lanes.values()],
            }
            for run in runs
        ],
    }
    path = Path(path)
    path.write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_json(path: str | Path) -> list[Run]:
    """Return the runs of a recording, marked as recorded.

    Raises
    ------
    DataFileError
        Where the file is not a recording, is damaged, or comes from a newer version.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise ValueError(f"{path.stat().st_size:,} bytes; the largest is {LARGEST_BYTES:,}")
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        if document["version"] > VERSION:
            raise ValueError(f"version {document['version']}; this workbench knows {VERSION}")
        return [_run_in(one) for one in document["runs"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataFileError(
            "That file is not a recording that can be used.",
            f"{path.name}: {type(error).__name__}: {error}",
            "export it again with `workbench results --export FILE.json`",
        ) from error


def write_parquet(runs: Iterable[Run], path: str | Path) -> Path:
    """Write one row for each sample, with the run's and lane's facts beside it, as Parquet.

    Raises
    ------
    UnavailableError
        Where pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise UnavailableError(
            "Parquet needs a package that is not here.",
            "pyarrow is not installed",
            "pip install --editable '.[parquet]', or export to .json",
        ) from error
    columns: dict[str, list[Any]] = {name: [] for name in _PARQUET}
    for run in runs:
        for lane in run.lanes.values():
            _add_rows(columns, run, lane)
    parquet.write_table(arrow.table(columns), path)
    return Path(path)


_PARQUET = (
    *("run", "started_at", "machine", "commit", "problem", "size", "batch", "cache", "threads"),
    *("baseline", "target", "control_of", "provenance", "model", "max_abs_error"),
    *("prepare_ns", "first_call_ns", "round", "latency_ns", "contents", "preempted"),
    *("load", "throttled_share", "stolen_share", "clock_mhz", "temperature_c"),
)


def _add_rows(columns: dict[str, list[Any]], run: Run, lane: LaneRecord) -> None:
    count = len(lane.samples_ns)
    once = {
        "run": run.uuid,
        "commit": run.environment.get("commit", ""),
        "target": lane.label,
        "provenance": str(run.provenance_of(lane)),
        **{name: getattr(run, name) for name in ("started_at", "machine", "problem", "size")},
        **{name: getattr(run, name) for name in ("batch", "cache", "threads", "baseline")},
        **{name: getattr(lane, name) for name in ("control_of", "model", "max_abs_error")},
        **{name: getattr(lane, name) for name in ("prepare_ns", "first_call_ns")},
    }
    for name, value in once.items():
        columns[name] += [value] * count
    columns["round"] += lane.rounds
    columns["latency_ns"] += lane.samples_ns
    columns["contents"] += lane.fresh
    columns["preempted"] += lane.preempted
    for name in _PARQUET[-5:]:
        columns[name] += [run.conditions[block].get(name) for block in lane.blocks]


def _lane_out(lane: LaneRecord) -> dict[str, Any]:
    columns = {name: getattr(lane, name).tolist() for name, _ in LaneRecord.COLUMNS}
    return {**lane.facts(), **columns}


def _run_in(entry: dict[str, Any]) -> Run:
    facts = {name: entry[name] for name in Run.FACTS if name != "batch"}
    facts["batch"] = entry.get("batch", 1)  # recordings of before there were batches
    for name, kind in _KINDS.items():
        if not isinstance(facts[name], kind):
            raise TypeError(f"{name} is {facts[name]!r}")
    if not facts["machine"] or not facts["started_at"]:
        raise ValueError("it does not say on which machine and when it was taken")
    conditions = [dict(block) for block in entry["conditions"]]
    lanes = [_lane_in(lane, len(conditions)) for lane in entry["lanes"]]
    by_label = {lane.label: lane for lane in lanes}
    if facts["baseline"] not in by_label or len(by_label) != len(lanes):
        raise ValueError("its lanes do not fit its baseline")
    facts |= {"recorded": True}
    return Run(**facts, lanes=by_label, conditions=conditions)


def _lane_in(entry: dict[str, Any], blocks: int) -> LaneRecord:
    lane = LaneRecord.from_facts({name: entry[name] for name in LaneRecord.FACTS})
    for name in ("label", "control_of", "model", "stated_error"):
        if not isinstance(entry[name], str):
            raise TypeError(f"{name} is {entry[name]!r}")
    for name, kind in LaneRecord.COLUMNS:
        setattr(lane, name, array(kind, entry[name]))
    if len({len(getattr(lane, name)) for name, _ in LaneRecord.COLUMNS}) != 1:
        raise ValueError(f"the columns of {lane.label} differ in length")
    if not all(math.isfinite(ns) and ns >= 0 for ns in lane.samples_ns):
        raise ValueError(f"{lane.label} has latencies that are no durations")
    if lane.blocks and not 0 <= min(lane.blocks) <= max(lane.blocks) < blocks:
        raise ValueError(f"{lane.label} names conditions that are not there")
    return lane


_KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("uuid", "problem", "size_means", "cache", "baseline"), str),
    **dict.fromkeys(("machine", "started_at", "state", "reason"), str),
    **dict.fromkeys(("size", "batch", "threads", "bytes_moved", "operations"), int),
    **dict.fromkeys(("seconds",), (int, float)),
    **dict.fromkeys(("environment",), dict),
}


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not a number that JSON has")
