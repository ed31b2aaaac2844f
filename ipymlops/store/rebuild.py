"""A home's file of jobs, opened by one process at a time, and made anew from the copies if it is damaged."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from ipymlops.job import Job
from ipymlops.spec import Intent
from ipymlops.store.problems import is_damage, locked, unusable
from ipymlops.store.records import copies
from ipymlops.store.rows import insert
from ipymlops.store.session import FILE, Identity, Opening, Session, identity, opened

_PARTS = ("", "-wal", "-shm", "-journal")


def open_home(home: Path, how: Opening, notices: list[str], *, damaged: Identity | None = None) -> Session:
    """Open the home's file of jobs; what the user should know is added to `notices`.

    Args:
        damaged: The file in which damage was met; set aside unless another process already has.
    """
    path = home / FILE
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_mode & 0o077:
            home.chmod(0o700)
        with _alone(home, how.busy_timeout_s):
            return _open(path, how, notices, damaged)
    except OSError as error:
        raise unusable(path, error.strerror or str(error)) from error


def _open(path: Path, how: Opening, notices: list[str], damaged: Identity | None) -> Session:
    if damaged is not None and identity(path) == damaged:
        return _anew(path, how, notices)
    try:
        session = opened(path, how)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return _anew(path, how, notices)
    if session.was_new:
        _restored(session, path.parent, notices)
    return session


def _anew(path: Path, how: Opening, notices: list[str]) -> Session:
    notices.append(f"the list of jobs was damaged; it is kept as {_set_aside(path)}")
    session = opened(path, how)
    if not _restored(session, path.parent, notices):
        notices.append("no copies of its jobs were found: the list starts anew")
    return session


def _set_aside(path: Path) -> Path:
    """Move the file away, with what SQLite keeps beside it, under a name that is still free."""
    stem = f"{path.name}.corrupt-{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}"
    names = (stem, *(f"{stem}-{count}" for count in range(2, 1000)))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    for part in _PARTS:
        source = path.with_name(path.name + part)
        if source.exists():
            source.rename(aside.with_name(aside.name + part))
    return aside


def _restored(session: Session, home: Path, notices: list[str]) -> int:
    """Insert every job that has a copy; its number stays. Returns how many."""
    found = list(copies(home))
    jobs = sorted((one for one in found if isinstance(one, tuple)), key=lambda one: one[0].number)
    with session.writing() as connection:
        restored = sum(_insert_copy(connection, job, intent) for job, intent in jobs)
    unread = [str(one) for one in found if isinstance(one, Path)]
    if restored:
        notices.append(f"the list of jobs was rebuilt from {home / 'records'}: {restored} jobs")
    if unread:
        notices.append(f"{len(unread)} copies of jobs could not be read, the first is {unread[0]}")
    return restored


def _insert_copy(connection: sqlite3.Connection, job: Job, intent: Intent) -> bool:
    try:
        insert(connection, job, intent)
    except sqlite3.IntegrityError:  # two copies of one number: the first is as good as the second
        return False
    return True


@contextmanager
def _alone(home: Path, timeout_s: float) -> Iterator[None]:
    """Hold the lock of the home: opening, migrating and rebuilding are for one process at a time."""
    descriptor = os.open(home / f"{FILE}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, home / FILE, timeout_s)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _is_locked(descriptor):
        if time.monotonic() >= deadline:
            raise locked(path, timeout_s)
        time.sleep(0.01)


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
