"""Runs as Parquet: one row for each sample, for the tools that read tables, and back again.

Each row carries its run's and lane's facts beside the latency, so that the table stands alone in
pandas, DuckDB or R. What belongs to no sample (a lane that failed, the environment) lies as JSON in
the file's own metadata, so that a run comes back whole. It refuses a table without that, and
judges what it reads exactly as `recording` judges JSON: data only, checked field by field.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workbench.bench.recording import CONDITIONS, FORMAT, document, reading, runs_of
from workbench.bench.records import LaneRecord, Run
from workbench.errors import UnavailableError

LARGEST_ROWS = 20_000_000
_COLUMNS = (
    *("run", "started_at", "machine", "commit", "problem", "size", "batch", "cache", "threads"),
    *("baseline", "target", "control_of", "provenance", "model", "max_abs_error"),
    *("prepare_ns", "first_call_ns", "round", "latency_ns", "contents", "preempted", "span"),
    *CONDITIONS,
)
_SAMPLES = {  # a lane's column -> its name in the table
    "rounds": "round",
    "samples_ns": "latency_ns",
    "fresh": "contents",
    "preempted": "preempted",
    "blocks": "span",
}


def write(runs: Iterable[Run], path: str | Path) -> Path:
    """Write one row for each sample and return the path.

    Raises
    ------
    UnavailableError
        Where pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    runs = list(runs)
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for run in runs:
        for lane in run.lanes.values():
            _add_rows(columns, run, lane)
    table = arrow.table(columns)
    counted = document(runs, lambda lane: {**lane.facts(), "count": len(lane.samples_ns)})
    beside = json.dumps(counted, allow_nan=False)
    parquet.write_table(table.replace_schema_metadata({FORMAT: beside}), path)
    return Path(path)


def read(path: str | Path) -> list[Run]:
    """Return the runs of a table that `write` made, marked as recorded.

    Raises
    ------
    DataFileError
        Where the file is not such a table, is damaged, or comes from a newer version.
    UnavailableError
        Where pyarrow is not installed.
    """
    arrow, parquet = _pyarrow()
    with reading(Path(path)), _as_value_errors(arrow):
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows > LARGEST_ROWS:
            raise ValueError(f"{file.metadata.num_rows:,} rows; the most is {LARGEST_ROWS:,}")
        beside = (file.schema_arrow.metadata or {}).get(FORMAT.encode())
        if beside is None:
            raise ValueError("it holds a table, and not the runs that belong to it")
        table = file.read(["run", "target", *_SAMPLES.values()])
        rows = {name: table.column(name).to_pylist() for name in table.column_names}
        return runs_of(beside.decode(), lambda found: _put_back(found, rows))
    raise AssertionError  # `reading` lets nothing through but its own error


def _put_back(found: dict[str, Any], rows: dict[str, list[Any]]) -> None:
    """Give each lane of a document its samples, in the table's order."""
    lanes = {(run["uuid"], lane["label"]): lane for run in found["runs"] for lane in run["lanes"]}
    for lane in lanes.values():
        lane.update({name: [] for name in _SAMPLES})
    names = list(zip(_SAMPLES, _SAMPLES.values(), strict=True))
    for at, key in enumerate(zip(rows["run"], rows["target"], strict=True)):
        for name, column in names:
            lanes[key][name].append(rows[column][at])
    for lane in lanes.values():
        if len(lane["rounds"]) != lane["count"]:
            raise ValueError(f"{len(lane['rounds'])} of {lane['count']} samples of {lane['label']}")


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
    for name, column in _SAMPLES.items():
        columns[column] += getattr(lane, name)
    for name in CONDITIONS:
        columns[name] += [run.conditions[span].get(name) for span in lane.blocks]


class _as_value_errors:
    """Turn pyarrow's errors, which need not derive from any of ours, into `ValueError`."""

    def __init__(self, arrow: Any):
        self.arrow = arrow

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, self.arrow.ArrowException):
            raise ValueError(str(error)) from error


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise UnavailableError(
            "Parquet needs a package that is not here.",
            "pyarrow is not installed",
            "pip install --editable '.[parquet]', or use .json",
        ) from error
    return pyarrow, parquet
