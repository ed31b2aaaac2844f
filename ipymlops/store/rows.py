"""A job's rows: how they are written, and found one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from ipymlops.job import Job
from ipymlops.spec import Intent
from ipymlops.store.records import intent_text, job_of, microseconds, text_of
from ipymlops.store.rules import listed
from ipymlops.store.words import searched_text, storable

_INSERT = """INSERT INTO jobs (number, id, name, platform, state, is_final, is_ours, created_at, fingerprint, text)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_UPDATE = """UPDATE jobs SET name = ?, platform = ?, state = ?, is_final = ?, is_ours = ?, created_at = ?,
fingerprint = ?, text = ? WHERE number = ?"""

_AT_ONCE = 500
"""Ids in one question: older SQLite takes 999 values."""


def insert(connection: sqlite3.Connection, job: Job, intent: Intent | None) -> None:
    """Write a job that has its number."""
    connection.execute(_INSERT, (job.number, storable(job.id), *_columns(job)))
    connection.execute("INSERT INTO records VALUES (?, ?, ?)", (job.number, text_of(job), intent_text(intent)))


def rewrite(connection: sqlite3.Connection, job: Job) -> None:
    connection.execute(_UPDATE, (*_columns(job), job.number))
    connection.execute("UPDATE records SET job = ? WHERE number = ?", (text_of(job), job.number))


def merge(connection: sqlite3.Connection, jobs: Sequence[Job]) -> int:
    """Write a page of what a platform lists; returns how many jobs were new or have changed."""
    stored = _recorded(connection, [storable(job.id) for job in jobs])
    changed = 0
    for job in sorted({job.id: job for job in jobs}.values(), key=lambda one: one.created_at):
        before = stored.get(job.id)
        after = numbered(connection, job, "") if before is None else listed(before, job)
        if before is None:
            insert(connection, after, None)
        elif after != before:
            rewrite(connection, after)
        changed += after != before
    return changed


def _recorded(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, Job]:
    """The jobs of these ids that are there; what has an intent is ours, whatever its record says."""
    found: dict[str, Job] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        rows = connection.execute(
            "SELECT job, intent IS NOT NULL FROM jobs JOIN records USING (number)"  # noqa: S608 - question marks alone
            f" WHERE id IN ({', '.join('?' * len(some))})",
            some,
        )
        jobs = (replace(job_of(text), is_ours=True) if has_intent else job_of(text) for text, has_intent in rows)
        found |= {job.id: job for job in jobs}
    return found


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
    return (*names, job.is_final, job.is_ours, created, storable(job.fingerprint), searched_text(job))
