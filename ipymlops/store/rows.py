"""A job's rows: how they are written, and found one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from ipymlops.job import Job
from ipymlops.spec import Intent
from ipymlops.store.records import intent_text, job_of, microseconds, text_of
from ipymlops.store.words import searched_text, storable

_INSERT = """INSERT INTO jobs (number, id, name, platform, state, is_final, created_at, fingerprint, text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE = """UPDATE jobs SET name = ?, platform = ?, state = ?, is_final = ?, created_at = ?, fingerprint = ?, text = ?
WHERE number = ?"""


def insert(connection: sqlite3.Connection, job: Job, intent: Intent | None) -> None:
    """Write a job that has its number."""
    connection.execute(_INSERT, (job.number, storable(job.id), *_columns(job)))
    connection.execute("INSERT INTO records VALUES (?, ?, ?)", (job.number, text_of(job), intent_text(intent)))


def rewrite(connection: sqlite3.Connection, job: Job) -> None:
    connection.execute(_UPDATE, (*_columns(job), job.number))
    connection.execute("UPDATE records SET job = ? WHERE number = ?", (text_of(job), job.number))


def numbered(connection: sqlite3.Connection, job: Job, stem: str) -> Job:
    """The job with the next number, which was never given before, and a name."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'").fetchone()
    number = (row[0] if row else 0) + 1
    return replace(job, number=number, name=job.name or f"{stem or 'job'}-{number}")


def job_where(connection: sqlite3.Connection, condition: str, values: Sequence[object]) -> Job | None:
    """The newest job for which the condition on `jobs` holds."""
    return next(iter(jobs_where(connection, condition, values, 1)), None)


def jobs_where(connection: sqlite3.Connection, condition: str, values: Sequence[object], limit: int = -1) -> list[Job]:
    """Newest first. `condition` is ours, never a user's text."""
    rows = connection.execute(
        f"SELECT job FROM jobs JOIN records USING (number) WHERE {condition} ORDER BY number DESC LIMIT ?",  # noqa: S608
        (*values, limit),
    )
    return [job_of(text) for (text,) in rows]


def _columns(job: Job) -> tuple[object, ...]:
    created = microseconds(job.created_at)
    names = (storable(job.name), storable(job.platform), job.state.value)
    return (*names, job.is_final, created, storable(job.fingerprint), searched_text(job))
