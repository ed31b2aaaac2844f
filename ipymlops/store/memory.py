"""Jobs in memory: for tests and plug-in authors, in one process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from ipymlops.job import Job
from ipymlops.spec import Intent, JobId
from ipymlops.store.base import JobQuery, Store
from ipymlops.store.resolving import MOST_CANDIDATES, resolve, unknown
from ipymlops.store.rules import listed, settled
from ipymlops.store.words import matches


class MemoryStore(Store):
    """The same promises as `SqliteStore`, without a file: other processes do not see these jobs."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self._lock = threading.RLock()
        self._jobs: dict[int, Job] = {}
        self._intents: dict[int, Intent] = {}

    def add(self, job: Job, intent: Intent | None = None, *, stem: str = "", again: bool = True) -> tuple[Job, bool]:
        with self._lock:
            twin = self._twin(job, again=again)
            if twin is not None:
                return twin, False
            number = len(self._jobs) + 1
            stored = replace(job, number=number, name=job.name or f"{stem or 'job'}-{number}")
            self._jobs[number] = stored
            if intent is not None:
                self._intents[number] = intent
            return stored, True

    def get(self, job_id: JobId) -> Job:
        with self._lock:
            job = self.identified(job_id)
            if job is None:
                raise unknown(job_id, self)
            return job

    def intent(self, job_id: JobId) -> Intent | None:
        return self._intents.get(self.get(job_id).number)

    def update(self, job_id: JobId, change: Callable[[Job], Job]) -> Job:
        with self._lock:
            before = self.get(job_id)
            after = self._jobs[before.number] = settled(before, change(before))
            return after

    def find(self, query: JobQuery, *, limit: int | None = None) -> list[Job]:
        return self._select(lambda job: matches(query, job), limit)

    def merge(self, jobs: Sequence[Job]) -> int:
        with self._lock:
            seen = sorted({job.id: job for job in jobs}.values(), key=lambda one: one.created_at)
            return sum(self._merge(job) for job in seen)

    def _merge(self, job: Job) -> bool:
        before = self.identified(job.id)
        if before is None:
            return self.add(job)[1]
        is_ours = before.is_ours or before.number in self._intents
        after = self._jobs[before.number] = before if is_ours else listed(before, job)
        return after != before

    def live(self, *, only_ours: bool = False) -> list[Job]:
        return self._select(lambda job: not job.is_final and (job.is_ours or not only_ours))

    def resolve(self, word: str) -> Job:
        with self._lock:
            return resolve(word, self)

    def close(self) -> None:
        """Nothing is held."""

    def numbered(self, number: int) -> Job | None:
        return self._jobs.get(number)

    def identified(self, job_id: str) -> Job | None:
        return next(iter(self._select(lambda job: job.id == job_id, 1)), None)

    def named(self, name: str) -> list[Job]:
        return self._candidates(lambda job: job.name == name)

    def begun(self, prefix: str) -> list[Job]:
        return self._candidates(lambda job: job.id.startswith(prefix))

    def containing(self, part: str) -> list[Job]:
        return self._candidates(lambda job: part.casefold() in job.name.casefold())

    def newest(self, limit: int) -> list[Job]:
        return self._select(lambda _: True, limit)

    def last(self) -> Job | None:
        return next(iter(self._select(lambda job: job.is_ours, 1)), None)

    def _candidates(self, holds: Callable[[Job], bool]) -> list[Job]:
        return self._select(holds, MOST_CANDIDATES + 1)

    def _select(self, holds: Callable[[Job], bool], limit: int | None = None) -> list[Job]:
        with self._lock:
            return list(islice(filter(holds, self._newest_first()), limit))

    def _newest_first(self) -> Iterator[Job]:
        return reversed(self._jobs.values())

    def _twin(self, job: Job, *, again: bool) -> Job | None:
        same = self.identified(job.id)
        if same is not None or again or not job.fingerprint:
            return same
        live = self._select(lambda one: not one.is_over and one.fingerprint == job.fingerprint, 1)
        return live[0] if live else None
