"""Where runs are kept: one SQLite file per user that survives being killed at any moment.

Every run is written while it is measured: first its facts, then its samples in chunks, at last how
it ended. Each step is one transaction, so whatever was reported as stored is there after
``kill -9``, and a run that was cut short is kept as far as it came. Each chunk carries a checksum.

It refuses a file written by a newer version, a damaged one and one it may not write, and says so;
it stores plain numbers and JSON, never a pickle.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workbench.bench.records import LaneRecord, Run
from workbench.errors import DataFileError, UnknownNameError

VERSION = 1
_SCHEMA = """
CREATE TABLE runs (
  uuid TEXT PRIMARY KEY, started_at TEXT NOT NULL, problem TEXT NOT NULL, size INTEGER NOT NULL,
  facts TEXT NOT NULL, conditions TEXT NOT NULL DEFAULT '[]', sweep TEXT NOT NULL DEFAULT '');
CREATE TABLE lanes (
  run TEXT NOT NULL REFERENCES runs(uuid) ON DELETE CASCADE, place INTEGER NOT NULL,
  label TEXT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (run, label));
CREATE TABLE chunks (
  run TEXT NOT NULL, label TEXT NOT NULL, first INTEGER NOT NULL, count INTEGER NOT NULL,
  rounds BLOB NOT NULL, samples_ns BLOB NOT NULL, fresh BLOB NOT NULL, preempted BLOB NOT NULL,
  blocks BLOB NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (run, label, first),
  FOREIGN KEY (run, label) REFERENCES lanes(run, label) ON DELETE CASCADE);
"""


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
        Where the file is damaged, from a newer version, or cannot be written.
    """

    def __init__(self, path: str | Path | None = None):
        self.path = Path(path) if path is not None else default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._trouble(error) from error
        with self._open() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise DataFileError(
                    "The store was written by a newer workbench.",
                    f"{self.path} has version {version}, this one knows {VERSION}",
                    "update the workbench, or set WORKBENCH_STORE to another file",
                )
            if version == 0:
                self._make(db)

    def _make(self, db: sqlite3.Connection) -> None:
        db.execute("BEGIN IMMEDIATE")
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one task, in whatever thread asks; translate SQLite's errors."""
        db = None
        try:
            db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            yield db
        except sqlite3.DatabaseError as error:
            raise self._trouble(error) from error
        except UnicodeDecodeError as error:  # SQLite names a damaged table in its own bytes
            raise self._trouble(sqlite3.DatabaseError("malformed text")) from error
        finally:
            if db is not None:
                db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def save(self, run: Run, *, sweep: str = "") -> None:
        """Write what is new of a run since it was last saved; everything the first time.

        Returns only when it is on disk.
        """
        with self._transaction() as db:
            facts, seen = json.dumps(run.facts()), json.dumps(run.conditions)
            db.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uuid) "
                "DO UPDATE SET facts = excluded.facts, conditions = excluded.conditions",
                (run.uuid, run.started_at, run.problem, run.size, facts, seen, sweep),
            )
            for place, lane in enumerate(run.lanes.values()):
                db.execute(
                    "INSERT INTO lanes VALUES (?, ?, ?, ?) ON CONFLICT (run, label) "
                    "DO UPDATE SET facts = excluded.facts",
                    (run.uuid, place, lane.label, json.dumps(lane.facts())),
                )
                self._save_samples(db, run.uuid, lane)

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
        with self._open() as db:
            return [row[0] for row in db.execute(query, () if sweep is None else (sweep,))]

    def sweeps(self) -> list[str]:
        """Return the names of the sweeps that have runs here."""
        with self._open() as db:
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
        with self._open() as db:
            row = db.execute(
                "SELECT facts, conditions FROM runs WHERE uuid = ?", (uuid,)
            ).fetchone()
            lanes = db.execute(
                "SELECT facts FROM lanes WHERE run = ? ORDER BY place", (uuid,)
            ).fetchall()
            try:
                records = [LaneRecord.from_facts(json.loads(facts)) for (facts,) in lanes]
                by_label = {lane.label: lane for lane in records}
                run = Run(**json.loads(row[0]), lanes=by_label, conditions=json.loads(row[1]))
            except (ValueError, TypeError, KeyError) as error:
                raise self._damaged(f"run {uuid[:8]}, its description") from error
            if samples:
                for lane in records:
                    self._load_samples(db, uuid, lane)
        return run

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
        with self._transaction() as db:
            db.execute("DELETE FROM runs WHERE uuid = ?", (whole,))

    def _trouble(self, error: Exception) -> DataFileError:
        """Say in our words what SQLite or the system complains of."""
        text = str(error)
        for sign, happened, advice in _TROUBLES:
            if sign in text:
                return DataFileError(happened, f"{self.path}: {text}", advice)
        return DataFileError(
            "The store cannot be used.", f"{self.path}: {text}", "set WORKBENCH_STORE elsewhere"
        )


_TROUBLES = (
    ("readonly", "The store cannot be written.", "set WORKBENCH_STORE to a file you may write"),
    ("unable to open", "The store cannot be opened.", "set WORKBENCH_STORE to a file you may use"),
    ("Permission", "The store cannot be written.", "set WORKBENCH_STORE to a file you may write"),
    ("full", "The disk that holds the store is full.", "free some space, or set WORKBENCH_STORE"),
    ("not a database", "The store is not a store.", "move the file away; a new one will be made"),
    ("malformed", "The store is damaged.", "move it away, and restore a copy if there is one"),
    ("locked", "Another process holds the store.", "try again when it has finished"),
)


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
