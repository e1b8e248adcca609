# SPDX-License-Identifier: Apache-2.0
"""What the twin keeps across restarts, in one SQLite file (docs/formats/twin-state.md, docs/adr/0010).

Rows of three texts: a kind, a name, a body; what a body says is its owner's business. All rows that one call changes
are written in one transaction, which is on disk before the call is answered. Each row has a checksum: it tells a
damaged file, not a forged one, for whoever can write the file owns the twin. The lock file beside it keeps other
processes away.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import PRIVATE_MODE
from strongroom.twin.lock_file import InUseError, lock_beside, lock_path

APPLICATION_ID = 0x53545754
"""`STWT`, in the header of the file (SQLite, "PRAGMA application_id")."""
VERSION = 1
_MAGIC = b"SQLite format 3\0"
_SPEC = "docs/formats/twin-state.md"
_SCHEMA = (
    "CREATE TABLE item (kind TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, sha256 TEXT NOT NULL, "
    "PRIMARY KEY (kind, name)) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row in its new form; without a body, its removal."""

    kind: str
    name: str
    body: str | None

    @property
    def checksum(self) -> str:
        """SHA-256 over kind, name and body, each with its length."""
        digest = hashlib.sha256()
        for text in (self.kind, self.name, self.body or ""):
            data = text.encode()
            digest.update(len(data).to_bytes(8, "big") + data)
        return digest.hexdigest()


class StateFile:
    """The file, for this process alone until it is closed. Safe to use from several threads.

    Raises LocalFault where another process has it or where there can be no file, FormatError where it is damaged or of
    another version: it is left as it was, then. Use it in a `with` block, or call `close`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutex = threading.Lock()
        self._closed = False
        with contextlib.ExitStack() as undo:
            self._lock = _locked(path)
            undo.callback(os.close, self._lock)
            self._expect_database()
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            undo.callback(self._database.close)
            self._prepare()
            undo.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the file go."""
        self.close()

    def close(self) -> None:
        """Let the file go: nothing is written any more, and another process may have it."""
        with self._mutex:
            if not self._closed:
                self._closed = True
                self._database.close()
                os.close(self._lock)

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    def rows(self, kind: str) -> Iterator[Row]:
        """Yield the rows of one kind, by name. Raises FormatError for one that is damaged."""
        with self._mutex, self._reading():
            found = self._database.execute(
                "SELECT name, body, sha256 FROM item WHERE kind = ? ORDER BY name", (kind,)
            ).fetchall()
        for name, body, checksum in found:
            row = Row(kind, name, body)
            if row.checksum != checksum:
                raise self.damaged(f"the checksum of {kind} {name} is another")
            yield row

    def write(self, rows: Iterable[Row]) -> None:
        """Write all of these rows, or none: they are on disk on return. Raises LocalFault where they are not."""
        with self._mutex, self._writing():
            if self._closed:
                raise RuntimeError("the state file is closed")
            self._database.execute("BEGIN IMMEDIATE")
            for row in rows:
                self._write(row)
            self._database.execute("COMMIT")

    def damaged(self, reason: str) -> FormatError:
        """Make the error of a file that is not what it should be."""
        return FormatError(
            "twin.state",
            f"expected the state of a twin in {self._path}, found it damaged: {reason}",
            spec=_SPEC,
            remedy="The file was left as it is. Put a copy from before in its place, or move it away to begin anew.",
        )

    def _write(self, row: Row) -> None:
        if row.body is None:
            self._database.execute("DELETE FROM item WHERE kind = ? AND name = ?", (row.kind, row.name))
        else:
            values = (row.kind, row.name, row.body, row.checksum)
            self._database.execute("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?)", values)

    def _prepare(self) -> None:
        with self._reading():
            self._expect_ours(self._database)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")  # a commit is on disk, not only in the system's memory
            _create(self._database)

    def _expect_database(self) -> None:
        """Make an empty file that only its owner may read; refuse one that is no database before SQLite looks at it."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
            with os.fdopen(descriptor, "rb") as file:
                start = file.read(len(_MAGIC))
        except OSError as error:
            raise LocalFault("twin.state-file", f"cannot keep a state in {self._path}: {error.strerror}") from error
        if start not in {b"", _MAGIC}:
            raise self.damaged("it is no SQLite database")

    def _expect_ours(self, database: sqlite3.Connection) -> None:
        """Refuse other files. An empty one is new: a process that was killed here had not answered anybody yet."""
        found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
        schema = [sql for (sql,) in database.execute("SELECT sql FROM sqlite_master")]
        if found == [0, 0] and not schema:
            return
        if found[0] != APPLICATION_ID:
            raise self.damaged("it is the database of another program")
        if found[1] != VERSION:
            raise FormatError(
                "twin.state-version",
                f"expected version {VERSION} of the state of a twin in {self._path}, found {found[1]}",
                spec=_SPEC,
                remedy="The file was left as it is. Use the Strongroom that wrote it, or move it away to begin anew.",
            )
        if schema != [_SCHEMA]:
            raise self.damaged("its table is another")
        if database.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise self.damaged("SQLite's own check fails")

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:  # it is a DatabaseError too
            raise LocalFault("twin.state-file", f"cannot read {self._path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise self.damaged(str(error)) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise LocalFault(
                "twin.state-unwritable",
                f"cannot write {self._path}: {error}",
                remedy="Nothing was changed. Free some space, and try again.",
            ) from error


def _create(database: sqlite3.Connection) -> None:
    """Make a new file the state of a twin, in one transaction; one that is already stays as it is."""
    if database.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
        return
    database.execute("BEGIN IMMEDIATE")
    database.execute(_SCHEMA)
    database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    database.execute(f"PRAGMA user_version = {VERSION}")
    database.execute("COMMIT")


def _locked(path: Path) -> int:
    try:
        return lock_beside(path)
    except InUseError as error:
        raise LocalFault(
            "twin.state-in-use",
            f"expected the state in {path} to be nobody's, found a process that has it",
            remedy=f"End the other process (`fuser {lock_path(path)}` says who it is), or keep this state elsewhere.",
        ) from error
    except OSError as error:
        raise LocalFault("twin.state-file", f"cannot keep a state in {path}: {error.strerror}") from error
