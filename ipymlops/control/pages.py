"""One page of an account's list, brought into the store, and how far the list is.

A page is stored before the cursor that follows it: whoever is killed in between leaves a page to be read again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from ipymlops.context import Context
from ipymlops.control import poll
from ipymlops.control.lock import FileLock
from ipymlops.job import Job, JobState, JobStatus
from ipymlops.platforms.abilities import Lists
from ipymlops.spec import JobId, PlatformRef
from ipymlops.store.base import JobQuery

NEW = timedelta(hours=1)
"""A platform may not yet find a job so young everywhere."""


@dataclass(frozen=True)
class Progress:
    """How far a platform's list is, as `HOME/listing/PLATFORM.json` has it.

    Attributes:
        listed, total: Jobs that pages have brought, and how many there are where that is known.
        is_whole: The first pass is done.
        ended_at: Epoch seconds of the last page after which nothing was left.
    """

    cursor: str = ""
    listed: int = 0
    total: int | None = None
    is_whole: bool = False
    ended_at: float = 0.0


def progress_of(home: Path, platform: str) -> Progress:
    try:
        return Progress(**json.loads(file_of(home, platform, "json").read_text()))
    except (OSError, ValueError, TypeError):
        return Progress()


def lock_of(home: Path, platform: str) -> FileLock:
    """Held by whoever brings in pages."""
    return FileLock(file_of(home, platform, "lock"))


def bring_page(context: Context, platform: str) -> bool:
    """Take the next page into the store; true where more is to come. The caller holds the lock.

    Raises: what the platform raises; the page is then asked for again next time.
    """
    before = progress_of(context.home, platform)
    recorded = Recorded(context, platform)
    page = _lister(context, platform).listing(before.cursor, recorded)
    context.store.merge(page.jobs)
    for job_id in recorded.ids_of(page.deleted):
        context.store.update(job_id, partial(_deleted, context))
    after = replace(before, cursor=page.cursor, listed=before.listed + len(page.jobs), total=page.total)
    if page.is_end:
        after = replace(after, is_whole=True, ended_at=context.clock.now().timestamp())
    _write(file_of(context.home, platform, "json"), after)
    return not page.is_end


class Recorded:
    """The references of a platform's recorded jobs that are still there, the newest hour aside; read when asked for."""

    def __init__(self, context: Context, platform: str) -> None:
        self._context, self._platform = context, platform
        self._ids: dict[PlatformRef, JobId] = {}

    def __iter__(self) -> Iterator[PlatformRef]:
        settled = JobQuery(platforms=(self._platform,), until=self._context.clock.now() - NEW)
        for job in self._context.store.find(settled):
            if job.ref is not None and not job.is_deleted:
                self._ids[job.ref] = job.id
                yield job.ref

    def ids_of(self, refs: Collection[PlatformRef]) -> Iterable[JobId]:
        if not refs:
            return ()
        list(self)
        return [self._ids[ref] for ref in refs if ref in self._ids]


def _lister(context: Context, platform: str) -> Lists:
    lister = context.platforms[platform]
    if not isinstance(lister, Lists):
        raise TypeError(platform)
    return lister


def _deleted(context: Context, job: Job) -> Job:
    """Its record is all there is now. Ours that live are asked about one by one: that tells more."""
    detail = f"deleted on {job.platform}"
    if job.is_final:
        return replace(job, detail=detail)
    if job.is_ours:
        return job
    return poll.gone(context, JobStatus(JobState.UNKNOWN, detail=detail, is_gone=True), job)


def file_of(home: Path, platform: str, kind: str) -> Path:
    return home / "listing" / f"{platform}.{kind}"


def _write(path: Path, progress: Progress) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = path.with_name(f"{path.name}.new")
    half.write_text(json.dumps(asdict(progress)))
    half.replace(path)
