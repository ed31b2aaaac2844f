"""Every job in one SQLite file, shared by all kernels, commands and couriers of one user on one machine."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ipymlops.errors import StoreProblem
from ipymlops.job import Job
from ipymlops.spec import Intent, JobId
from ipymlops.store.base import JobQuery, Store
from ipymlops.store.finding import find, named_like
from ipymlops.store.problems import is_damage, problem_of
from ipymlops.store.rebuild import open_home
from ipymlops.store.records import intent_of, write_copy
from ipymlops.store.resolving import MOST_CANDIDATES, resolve, unknown
from ipymlops.store.rows import insert, job_where, jobs_where, merge, numbered, rewrite
from ipymlops.store.rules import is_turn, settled
from ipymlops.store.session import FILE, Opening, Session, identity
from ipymlops.store.words import storable

T = TypeVar("T")


class SqliteStore(Store):
    """The jobs of `home/jobs.db`; nothing is opened before the first use.

    - Safe with several threads (one connection, one at a time), processes, and forks (a child opens its own).
    - A damaged file is kept aside and made anew from `home/records/`, told in `notices`. Whoever still has the old one
      open goes over to the new one at its next use.
    - Raises `StoreProblem` for a full disk, a lock held too long, a file of a newer version; nothing is half-written.
    """

    def __init__(self, home: Path, how: Opening = Opening()) -> None:  # noqa: B008 - it is frozen
        self.home = home.absolute()
        self.path = self.home / FILE
        self.notices: list[str] = []
        self._how = how
        self._session: Session | None = None
        self._inherited: list[Session] = []

    def add(self, job: Job, intent: Intent | None = None, *, stem: str = "", again: bool = True) -> tuple[Job, bool]:
        def work(session: Session) -> tuple[Job, bool]:
            with session.writing() as connection:
                twin = _twin(connection, job, again=again)
                if twin is not None:
                    return twin, False
                stored = numbered(connection, job, stem)
                insert(connection, stored, intent)
                return stored, True

        stored, is_new = self._run(work)
        if is_new and intent is not None:
            self._copy(stored, intent)
        return stored, is_new

    def get(self, job_id: JobId) -> Job:
        def work(session: Session) -> Job:
            with session.reading() as connection:
                return _existing(connection, job_id)

        return self._run(work)

    def intent(self, job_id: JobId) -> Intent | None:
        def work(session: Session) -> Intent | None:
            with session.reading() as connection:
                return _intent(connection, _existing(connection, job_id))

        return self._run(work)

    def update(self, job_id: JobId, change: Callable[[Job], Job]) -> Job:
        def work(session: Session) -> tuple[Job, Intent | None]:
            with session.writing() as connection:
                before = _existing(connection, job_id)
                after = settled(before, change(before))
                if after != before:
                    rewrite(connection, after)
                return after, _intent(connection, after) if is_turn(before, after) else None

        after, intent = self._run(work)
        if intent is not None:
            self._copy(after, intent)
        return after

    def find(self, query: JobQuery, *, limit: int | None = None) -> list[Job]:
        def work(session: Session) -> list[Job]:
            with session.reading() as connection:
                return find(connection, query, limit, has_index=session.has_index)

        return self._run(work)

    def merge(self, jobs: Sequence[Job]) -> int:
        def work(session: Session) -> int:
            with session.writing() as connection:
                return merge(connection, jobs)

        return self._run(work)

    def live(self, *, only_ours: bool = False) -> list[Job]:
        def work(session: Session) -> list[Job]:
            with session.reading() as connection:
                return jobs_where(connection, "is_final = 0 AND is_ours = 1" if only_ours else "is_final = 0", ())

        return self._run(work)

    def resolve(self, word: str) -> Job:
        def work(session: Session) -> Job:
            with session.reading() as connection:
                return resolve(word, _Rows(connection, has_index=session.has_index))

        return self._run(work)

    def close(self) -> None:
        """Give the file back; the next use opens it again. A forked child leaves its parent's connection alone."""
        session, self._session = self._session, None
        if session is not None and session.pid == os.getpid():
            with session.lock:
                session.connection.close()
        elif session is not None:
            self._inherited.append(session)

    def _run(self, work: Callable[[Session], T]) -> T:
        """Do the work; where it meets a damaged file, once more on the one made anew."""
        session = self._opened()
        try:
            return work(session)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise self._problem(error) from error
        try:
            return work(self._replaced(session))
        except sqlite3.Error as error:
            raise self._problem(error) from error

    def _opened(self) -> Session:
        session = self._session
        if session is not None and session.pid != os.getpid():
            self.close()
        elif session is not None and session.file == identity(self.path):
            return session
        # other threads may still be at work on a file that was replaced: it is closed when the last lets go of it
        try:
            session = self._session = open_home(self.home, self._how, self.notices)
        except sqlite3.Error as error:
            raise self._problem(error) from error
        return session

    def _replaced(self, session: Session) -> Session:
        """The session of the file that takes the damaged one's place."""
        anew = self._session = open_home(self.home, self._how, self.notices, damaged=session.file)
        return anew

    def _problem(self, error: sqlite3.Error) -> StoreProblem:
        return problem_of(error, self.path, self._how.busy_timeout_s)

    def _copy(self, job: Job, intent: Intent) -> None:
        """The job itself is safe already: a copy that cannot be written is only told."""
        try:
            write_copy(self.home, job, intent)
        except OSError as error:
            self.notices.append(f"no copy of job {job.number} could be written below {self.home}: {error.strerror}")


class _Rows:
    """What `resolve` looks up, in SQL."""

    def __init__(self, connection: sqlite3.Connection, *, has_index: bool) -> None:
        self._connection, self._has_index = connection, has_index

    def numbered(self, number: int) -> Job | None:
        return job_where(self._connection, "number = ?", (number,))

    def identified(self, job_id: str) -> Job | None:
        return job_where(self._connection, "id = ?", (storable(job_id),))

    def named(self, name: str) -> list[Job]:
        return self._candidates("name = ?", storable(name))

    def begun(self, prefix: str) -> list[Job]:
        return self._candidates("id >= ? AND id < ? || char(1114111)", storable(prefix), storable(prefix))

    def containing(self, part: str) -> list[Job]:
        return named_like(self._connection, part, MOST_CANDIDATES + 1, has_index=self._has_index)

    def newest(self, limit: int) -> list[Job]:
        return jobs_where(self._connection, "1", (), limit)

    def last(self) -> Job | None:
        return job_where(self._connection, "is_ours = 1", ())

    def _candidates(self, condition: str, *values: object) -> list[Job]:
        return jobs_where(self._connection, condition, values, MOST_CANDIDATES + 1)


def _existing(connection: sqlite3.Connection, job_id: JobId) -> Job:
    rows = _Rows(connection, has_index=False)
    job = rows.identified(job_id)
    if job is None:
        raise unknown(job_id, rows)
    return job


def _twin(connection: sqlite3.Connection, job: Job, *, again: bool) -> Job | None:
    """The same job, added before; or, unless `again`, one with the same fingerprint to which something can happen."""
    same = job_where(connection, "id = ?", (storable(job.id),))
    if same is not None or again or not job.fingerprint:
        return same
    live = jobs_where(connection, "is_final = 0 AND fingerprint = ?", (storable(job.fingerprint),))
    return next((twin for twin in live if not twin.is_over), None)


def _intent(connection: sqlite3.Connection, job: Job) -> Intent | None:
    (text,) = connection.execute("SELECT intent FROM records WHERE number = ?", (job.number,)).fetchone()
    return intent_of(text)
