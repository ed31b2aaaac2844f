"""What SQLite says, as errors a user can act on."""

from __future__ import annotations

import shlex
import sqlite3
from pathlib import Path

from ipymlops.errors import StoreProblem


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken.

    SQLite's "malformed" and "not a database" are plain `DatabaseError`; all else has a class of its own.
    """
    return type(error) is sqlite3.DatabaseError


def problem_of(error: sqlite3.Error, path: Path, waited_s: float) -> StoreProblem:
    """The error for the user. Python 3.10 has no error codes; SQLite's English is fixed and never translated."""
    said = str(error)
    if "locked" in said:
        return locked(path, waited_s)
    if "full" in said:
        return StoreProblem(
            "the list of jobs could not be written; nothing was changed",
            why=f"the disk that holds {path} is full",
            fix=f"df -h {shlex.quote(str(path.parent))}",
        )
    return unusable(path, said)


def locked(path: Path, waited_s: float) -> StoreProblem:
    return StoreProblem(
        "the list of jobs is locked; nothing was changed",
        why=f"another process has held {path} for more than {waited_s:g} s",
        fix=f"find /proc/[0-9]*/fd -lname {shlex.quote(str(path) + '*')} 2>/dev/null  # names that process",
    )


def unusable(path: Path, why: str) -> StoreProblem:
    return StoreProblem(
        "the list of jobs cannot be read or written; nothing was changed",
        why=f"{path}: {why}",
        fix=f"ls -ld {shlex.quote(str(path.parent))} {shlex.quote(str(path))}  # is it yours, and writable?",
    )


def newer_version(path: Path, version: int, known: int) -> StoreProblem:
    return StoreProblem(
        "the list of jobs was written by a newer ipymlops; nothing was changed",
        why=f"{path} has version {version}, this ipymlops knows versions up to {known}",
        fix="python -m pip install --upgrade ipymlops",
    )
