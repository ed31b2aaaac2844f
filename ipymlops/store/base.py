"""What a store of jobs promises. Each line is checked by a test of `ipymlops.testing.store_contract`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ipymlops.job import Job, JobState
from ipymlops.spec import Intent, JobId


@dataclass(frozen=True)
class JobQuery:
    """Which jobs: every part must hold.

    Attributes:
        words: Each must occur, as a case-folded substring, in any searched field (name, argv, label, commit, branch,
            user, platform, machine, state, error).
        states, platforms: Any of these; empty means all.
        since, until: Bounds of `created_at`.
        only_ours: Not what another tool or machine started.
    """

    words: tuple[str, ...] = ()
    states: tuple[JobState, ...] = ()
    platforms: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    only_ours: bool = False


class Store(ABC):
    """Every job of every platform, shared by all processes of one user on one machine.

    - `add` gives the next number, numbers never repeat, and the default name is made from it.
    - `add` with a fingerprint that a job already has to which something can still happen (`Job.is_over`) returns that
      job instead, unless `again`: two processes that submit the same cell at once get one job.
    - The intent is written in the same transaction as the job: there is never one without the other.
    - `update` is one atomic read, change and write; a final state never changes again.
    - Newest first, by number.
    - A record is given back as it was written, bytes that are no UTF-8 (`\\udcXX`) included.
    - `find` agrees with the plain predicate (`ipymlops.store.words.matches`).
    """

    notices: list[str]
    """What the user should be told once (a damaged file was rebuilt); the front door prints and clears it."""

    @abstractmethod
    def add(self, job: Job, intent: Intent | None = None, *, stem: str = "", again: bool = True) -> tuple[Job, bool]:
        """Record a job; returns it as stored and whether it is new.

        Args:
            stem: Makes the name `<stem>-<number>` where `job.name` is empty.
        """

    @abstractmethod
    def get(self, job_id: JobId) -> Job:
        """Raises `UnknownJob`."""

    @abstractmethod
    def intent(self, job_id: JobId) -> Intent | None:
        """What was asked for; None for jobs that others started."""

    @abstractmethod
    def update(self, job_id: JobId, change: Callable[[Job], Job]) -> Job:
        """Apply `change` to the stored job, atomically, and return the result. Raises `UnknownJob`."""

    @abstractmethod
    def merge(self, jobs: Sequence[Job]) -> int:
        """Record jobs as a platform lists them, as one transaction; returns how many were new or have changed.

        New ones get numbers in the order of their creation. Of those that are recorded, others' are brought up to date
        (`ipymlops.store.rules.listed`); ours stay as they are.
        """

    @abstractmethod
    def find(self, query: JobQuery, *, limit: int | None = None) -> list[Job]: ...

    @abstractmethod
    def live(self, *, only_ours: bool = False) -> list[Job]:
        """The jobs that are not final; with `only_ours` those that were sent from here."""

    @abstractmethod
    def resolve(self, word: str) -> Job:
        """The job that `word` means.

        In order: a number (digits), `last` (the newest of ours), exact id, exact name, id prefix of 4 or more, unique
        substring of a name.
        Raises `UnknownJob` with the nearest words, or with the candidates where it is ambiguous.
        """

    @abstractmethod
    def close(self) -> None: ...
