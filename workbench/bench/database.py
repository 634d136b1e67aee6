"""The file below the store: opened for one task, made, brought up to date, its troubles named.

A file that cannot be written to, as it lies in a course's read-only folder, is opened to be read
only. It refuses a damaged file and one from a newer version, and says so in our words instead of
SQLite's (https://sqlite.org/wal.html, https://sqlite.org/uri.html for ``immutable``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import DataFileError

VERSION = 2
_STEPS = (
    """
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
""",
    # Conditions became many; in version 1 they are all in their run's row, and stay there.
    """
CREATE TABLE spans (
  run TEXT NOT NULL REFERENCES runs(uuid) ON DELETE CASCADE, first INTEGER NOT NULL,
  count INTEGER NOT NULL, facts TEXT NOT NULL, checksum INTEGER NOT NULL,
  PRIMARY KEY (run, first));
""",
)
"""What makes each version of the file from the one before it."""
_ELSEWHERE = "set WORKBENCH_STORE to a file you may write"
_TROUBLES = (
    ("readonly", "The store cannot be written.", _ELSEWHERE),
    ("unable to open", "The store cannot be opened.", "set WORKBENCH_STORE to a file you may use"),
    ("Permission", "The store cannot be written.", _ELSEWHERE),
    ("Read-only", "The store cannot be written.", _ELSEWHERE),
    ("full", "The disk that holds the store is full.", "free some space, or set WORKBENCH_STORE"),
    ("not a database", "The store is not a store.", "move the file away; a new one will be made"),
    ("malformed", "The store is damaged.", "move it away, and restore a copy if there is one"),
    ("locked", "Another process holds the store.", "try again when it has finished"),
)


class Database:
    """One SQLite file.

    Parameters
    ----------
    path : Path
        Made where it is not there.

    Attributes
    ----------
    read_only : bool
        Whether the file is there and may be read, but not written to.

    Raises
    ------
    DataFileError
        Where the file cannot be used.
    """

    def __init__(self, path: Path):
        self.path, self.read_only = path, False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.trouble(error) from error
        try:
            self._bring_up_to_date()
        except DataFileError as error:
            if not (self.path.is_file() and "cannot be" in error.happened):
                raise
            self.read_only = True
            self._bring_up_to_date()

    def _bring_up_to_date(self) -> None:
        with self.open() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise DataFileError(
                    "The store was written by a newer workbench.",
                    f"{self.path} has version {version}, this one knows {VERSION}",
                    "update the workbench, or set WORKBENCH_STORE to another file",
                )
            if version == VERSION:
                return
            if self.read_only:
                raise DataFileError(
                    "The store is of an older version and cannot be brought up to date.",
                    f"{self.path} has version {version} and may only be read",
                    "copy it to where you may write, and set WORKBENCH_STORE to the copy",
                )
            db.execute("BEGIN IMMEDIATE")
            version = db.execute("PRAGMA user_version").fetchone()[0]  # another may have been first
            for step in _STEPS[version:]:
                for statement in step.split(";"):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")

    @contextmanager
    def open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one task, in whatever thread asks; translate SQLite's errors."""
        db = None
        try:
            if self.read_only:
                db = self._opened_to_read()
            else:
                db = sqlite3.connect(self.path, timeout=30, isolation_level=None)
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            yield db
        except sqlite3.DatabaseError as error:
            raise self.trouble(error) from error
        except UnicodeDecodeError as error:  # SQLite names a damaged table in its own bytes
            raise self.trouble(sqlite3.DatabaseError("malformed text")) from error
        finally:
            if db is not None:
                db.close()

    def _opened_to_read(self) -> sqlite3.Connection:
        """Open a file beside which SQLite may not put its own; what lies in a log is not lost.

        Raises
        ------
        DataFileError
            Where runs are still in the write-ahead log, which cannot be read here: without them
            the file would seem whole and be not.
        """
        log = self.path.with_name(self.path.name + "-wal")
        if log.is_file() and log.stat().st_size:
            raise DataFileError(
                "The store was not closed, and cannot be closed here.",
                f"{log.name} holds runs that are not yet in {self.path}, and both may only be read",
                "copy both files to where you may write, and set WORKBENCH_STORE to the copy",
            )
        where = f"{self.path.absolute().as_uri()}?mode=ro&immutable=1"
        return sqlite3.connect(where, uri=True, isolation_level=None)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Open the file to write; all of it is done, or none.

        Raises
        ------
        DataFileError
            Where it cannot be written.
        """
        self.require_writable()
        with self.open() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def require_writable(self) -> None:
        """Raise `DataFileError` where the file may only be read."""
        if self.read_only:
            raise DataFileError("The store may only be read.", str(self.path), _ELSEWHERE)

    def trouble(self, error: Exception) -> DataFileError:
        """Say in our words what SQLite or the system complains of."""
        text = str(error)
        for sign, happened, advice in _TROUBLES:
            if sign in text:
                return DataFileError(happened, f"{self.path}: {text}", advice)
        return DataFileError(
            "The store cannot be used.", f"{self.path}: {text}", "set WORKBENCH_STORE elsewhere"
        )
