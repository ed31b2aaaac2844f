"""One open connection to the file of jobs: how it is opened, brought up to date, and written to."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from ipymlops.store.filesystem import can_share_memory, filesystem_of
from ipymlops.store.problems import newer_version

FILE = "jobs.db"

Identity = tuple[int, int]
"""A file's device and inode."""


@dataclass(frozen=True)
class Opening:
    """How to open: seconds to wait for others, the file system's type (None: look), and whether to use the index."""

    busy_timeout_s: float = 10.0
    filesystem: str | None = None
    with_index: bool = True


@dataclass(frozen=True)
class Session:
    """A connection that the threads of one process share, one at a time.

    Attributes:
        pid: Who opened it; a forked child must not touch it.
        file: Which file it is: another process, or the user, may put another one in its place.
        has_index: Whether words of three characters and more are found through the trigram index.
        was_new: Whether the file held nothing before.
    """

    connection: sqlite3.Connection
    file: Identity | None
    has_index: bool
    was_new: bool
    pid: int = field(default_factory=os.getpid)
    lock: threading.RLock = field(default_factory=threading.RLock)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """All that is read inside is of one moment."""
        with self.lock, self._transaction("BEGIN"):
            yield self.connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is written, or nothing; nobody else writes meanwhile."""
        with self.lock, self._transaction("BEGIN IMMEDIATE"):
            yield self.connection
            if self.has_index:
                index(self.connection)

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        if self.connection.in_transaction:  # within another of this thread: that one commits
            yield
            return
        self.connection.execute(begin)
        try:
            yield
            self.connection.execute("COMMIT")
        finally:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")


def opened(path: Path, how: Opening) -> Session:
    """Open the file, made if it is missing, with every migration applied. The caller holds the lock of the home.

    Raises: `StoreProblem` for a file of a newer version, `sqlite3.Error` for all else.
    """
    _make(path)
    found = identity(path)
    connection = sqlite3.connect(
        path, timeout=how.busy_timeout_s, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        was_new = _migrated(connection, path)
        _use_journal(connection, how.filesystem if how.filesystem is not None else filesystem_of(path))
        has_index = how.with_index and _has_index(connection)
    except BaseException:
        connection.close()
        raise
    return Session(connection, found, has_index, was_new)


def identity(path: Path) -> Identity | None:
    """Which file lies at the path now; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    """Make the file, for its owner alone. One that is there is not touched.

    Closing any descriptor of a file drops all of this process's POSIX locks on it, those of SQLite's other connections
    too: a file that may be in use is never opened here.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def migrations() -> list[str]:
    """The numbered steps, in order; the version of a file is how many it has had."""
    folder = files("ipymlops.store") / "migrations"
    steps = sorted(entry.name for entry in folder.iterdir() if entry.name[:4].isdigit())
    return [(folder / name).read_text(encoding="utf-8") for name in steps]


def _migrated(connection: sqlite3.Connection, path: Path) -> bool:
    """Apply the steps that the file lacks, each as one transaction; true if it had none."""
    steps = migrations()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise newer_version(path, version, len(steps))
    for number, step in enumerate(steps[version:], start=version + 1):
        run_script(connection, f"{step}; PRAGMA user_version = {number};")
    connection.execute("SELECT 1 FROM jobs LIMIT 1")  # a damaged first page shows here
    return bool(version == 0)


def _use_journal(connection: sqlite3.Connection, filesystem: str) -> None:
    """WAL lets others read while one writes; it needs memory shared between all who open the file."""
    mode = "WAL" if can_share_memory(filesystem) else "DELETE"
    if connection.execute("PRAGMA journal_mode").fetchone()[0] != mode.lower():
        with suppress(sqlite3.OperationalError):  # another process is using it in the other mode: so do we
            connection.execute(f"PRAGMA journal_mode = {mode}").fetchone()
    connection.execute("PRAGMA synchronous = FULL")  # a job is on the disk before it is started


def _has_index(connection: sqlite3.Connection) -> bool:
    """Whether the word index can be used here; it is made where this is the first SQLite that can."""
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'words'").fetchone():
            step = (files("ipymlops.store") / "migrations" / "words.sql").read_text(encoding="utf-8")
            run_script(connection, step)
        connection.execute("SELECT rowid FROM words WHERE words MATCH '\"abc\"' LIMIT 1").fetchone()
    except sqlite3.OperationalError as error:
        if "tokenizer" in str(error) or "no such module" in str(error):
            return False
        raise
    return True


def run_script(connection: sqlite3.Connection, script: str) -> None:
    """Run several statements as one transaction."""
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {script}; COMMIT;")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


_INDEXING = (
    "INSERT INTO words (words, rowid, text) SELECT 'delete', number, old FROM stale WHERE old IS NOT NULL",
    "INSERT INTO words (rowid, text) SELECT number, text FROM stale JOIN jobs USING (number)",
    "DELETE FROM stale",
)


def index(connection: sqlite3.Connection) -> None:
    """Tell the word index what changed in this transaction, and what processes without an index wrote before."""
    if connection.execute("SELECT 1 FROM stale LIMIT 1").fetchone():
        for step in _INDEXING:
            connection.execute(step)
