"""Where runs are kept: one SQLite file per user that survives being killed at any moment.

Every run is written while it is measured: first its facts, then its samples in chunks, at last how
it ended. Each step is one transaction, so whatever was reported as stored is there after
``kill -9``, and a run that was cut short is kept as far as it came. Each chunk carries a checksum.

A file that may only be read can be listed, compared and exported (`database`). It refuses one that
was written by a newer version or is damaged, and says so; it stores plain numbers and JSON, never
a pickle.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import zlib
from array import array
from pathlib import Path
from typing import Any

from workbench.bench.database import Database
from workbench.bench.records import LaneRecord, Run
from workbench.errors import DataFileError, UnknownNameError


def default_path() -> Path:
    """Return the user's store: ``$WORKBENCH_STORE``, or a file in the user's data folder."""
    named = os.environ.get("WORKBENCH_STORE")
    if named:
        return Path(named)
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "accelerator-workbench" / "runs.sqlite"


class Store:
    """Runs on disk.

    Parameters
    ----------
    path : str or Path, optional
        `default_path` unless given; made where it is not there.

    Raises
    ------
    DataFileError
        Where the file is damaged, from a newer version, or is not there and cannot be made.
    """

    def __init__(self, path: str | Path | None = None):
        self._file = Database(Path(path) if path is not None else default_path())

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    @property
    def read_only(self) -> bool:
        """Whether it may be listed and compared, but nothing can be kept in it."""
        return self._file.read_only

    def require_writable(self) -> None:
        """Raise `DataFileError` where nothing can be kept in it."""
        self._file.require_writable()

    def save(self, run: Run, *, sweep: str = "") -> None:
        """Write what is new of a run since it was last saved; everything the first time.

        Returns only when it is on disk.
        """
        with self._file.transaction() as db:
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, '[]', ?) ON CONFLICT (uuid) "
                "DO UPDATE SET facts = excluded.facts, conditions = '[]'",
                (
                    *(run.uuid, run.started_at, run.problem, run.size),
                    *(json.dumps(run.facts()), sweep),
                ),
            )
            self._save_conditions(db, run)
            for place, lane in enumerate(run.lanes.values()):
                db.execute(
                    "INSERT INTO lanes VALUES (?, ?, ?, ?) ON CONFLICT (run, label) "
                    "DO UPDATE SET facts = excluded.facts",
                    (run.uuid, place, lane.label, json.dumps(lane.facts())),
                )
                self._save_samples(db, run.uuid, lane)

    def _save_conditions(self, db: sqlite3.Connection, run: Run) -> None:
        query = "SELECT COALESCE(SUM(count), 0) FROM spans WHERE run = ?"
        first = db.execute(query, (run.uuid,)).fetchone()[0]
        new = run.conditions[first:]
        if new:
            text = json.dumps(new)
            row = (run.uuid, first, len(new), text, _checksum([text.encode()]))
            db.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?)", row)

    def _save_samples(self, db: sqlite3.Connection, uuid: str, lane: LaneRecord) -> None:
        query = "SELECT COALESCE(SUM(count), 0) FROM chunks WHERE run = ? AND label = ?"
        first = db.execute(query, (uuid, lane.label)).fetchone()[0]
        count = len(lane.samples_ns) - first
        if count <= 0:
            return
        columns = [_bytes(getattr(lane, name)[first:]) for name, _ in LaneRecord.COLUMNS]
        db.execute(
            "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (uuid, lane.label, first, count, *columns, _checksum(columns)),
        )

    def uuids(self, *, sweep: str | None = None) -> list[str]:
        """Return the runs' identities, oldest first, of one sweep if asked."""
        where = "" if sweep is None else "WHERE sweep = ?"
        query = f"SELECT uuid FROM runs {where} ORDER BY started_at, rowid"
        with self._file.open() as db:
            return [row[0] for row in db.execute(query, () if sweep is None else (sweep,))]

    def sweeps(self) -> list[str]:
        """Return the names of the sweeps that have runs here."""
        with self._file.open() as db:
            rows = db.execute("SELECT DISTINCT sweep FROM runs WHERE sweep <> '' ORDER BY sweep")
            return [row[0] for row in rows]

    def load(self, uuid: str, *, samples: bool = True) -> Run:
        """Return one run, by its identity or the unique beginning of it.

        Raises
        ------
        UnknownNameError
            Where there is none.
        DataFileError
            Where its samples do not match their checksum.
        """
        uuid = self._only(uuid)
        with self._file.open() as db:
            row = db.execute(
                "SELECT facts, conditions FROM runs WHERE uuid = ?", (uuid,)
            ).fetchone()
            lanes = db.execute(
                "SELECT facts FROM lanes WHERE run = ? ORDER BY place", (uuid,)
            ).fetchall()
            try:
                records = [LaneRecord.from_facts(json.loads(facts)) for (facts,) in lanes]
                by_label = {lane.label: lane for lane in records}
                seen = json.loads(row[1]) + self._conditions(db, uuid)
                run = Run(**json.loads(row[0]), lanes=by_label, conditions=seen)
            except DataFileError:
                raise
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise self._damaged(f"run {uuid[:8]}, its description") from error
            if samples:
                for lane in records:
                    self._load_samples(db, uuid, lane)
        return run

    def _conditions(self, db: sqlite3.Connection, uuid: str) -> list[dict[str, Any]]:
        query = "SELECT facts, checksum FROM spans WHERE run = ? ORDER BY first"
        found: list[dict[str, Any]] = []
        for text, checksum in db.execute(query, (uuid,)):
            if _checksum([text.encode()]) != checksum:
                raise self._damaged(f"run {uuid[:8]}, its conditions")
            found += json.loads(text)
        return found

    def _only(self, uuid: str) -> str:
        """Return the identity of the one run that begins with `uuid`."""
        known = self.uuids()
        fitting = [one for one in known if one.startswith(uuid)] if uuid else []
        if len(fitting) != 1:
            raise UnknownNameError("stored run", uuid, [one[:8] for one in known])
        return fitting[0]

    def _damaged(self, what: str) -> DataFileError:
        return DataFileError(
            "A run in the store is damaged.",
            f"{what}, in {self.path}",
            "delete that run with `workbench results --delete`, or restore the file",
        )

    def _load_samples(self, db: sqlite3.Connection, uuid: str, lane: LaneRecord) -> None:
        names = [name for name, _ in LaneRecord.COLUMNS]
        query = (
            f"SELECT {', '.join(names)}, checksum FROM chunks "
            "WHERE run = ? AND label = ? ORDER BY first"
        )
        for *columns, checksum in db.execute(query, (uuid, lane.label)):
            if _checksum(columns) != checksum:
                raise self._damaged(f"run {uuid[:8]}, the samples of {lane.label}")
            for name, column in zip(names, columns, strict=True):
                values = array(dict(LaneRecord.COLUMNS)[name])
                values.frombytes(column)
                if sys.byteorder == "big":
                    values.byteswap()
                getattr(lane, name).extend(values)

    def delete(self, uuid: str) -> None:
        """Remove one run."""
        whole = self._only(uuid)
        with self._file.transaction() as db:
            db.execute("DELETE FROM runs WHERE uuid = ?", (whole,))


def _bytes(values: array) -> bytes:
    if sys.byteorder == "big":
        values = array(values.typecode, values)
        values.byteswap()
    return values.tobytes()


def _checksum(columns: list[Any]) -> int:
    checksum = 0
    for column in columns:
        checksum = zlib.crc32(column, checksum)
    return checksum
