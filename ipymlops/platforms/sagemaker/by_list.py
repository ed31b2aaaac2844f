"""The list without Search: names and states by ListTrainingJobs, and descriptions of what is new or has not ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ipymlops.job import Job, JobState
from ipymlops.platforms.sagemaker.asking import Asking, Page, Step
from ipymlops.platforms.sagemaker.by_search import OVERLAP_S
from ipymlops.platforms.sagemaker.place import CHANGES, OPEN, SWEEP, Place, Walk
from ipymlops.platforms.sagemaker.reading import milliseconds
from ipymlops.platforms.sagemaker.reference import read_reference
from ipymlops.platforms.sagemaker.sweep import digest
from ipymlops.spec import PlatformRef

SEARCH_AGAIN_ROUNDS = 60
"""After so many rounds it is tried whether Search is allowed by now: about an hour."""
SWEEP_EVERY_S = 86400
AT_ONCE = 10
"""Descriptions in one step."""


def filled(asking: Asking, place: Place) -> Step:
    """A page of all jobs, the newest first."""
    page = asking.list(place.walk)
    if not place.walk.is_begun:
        place = replace(place, since_ms=page.now_s * 1000, swept_s=page.now_s)
    jobs = _jobs(asking, page)
    return _read(place, page, jobs, [job for job in jobs if not job.is_final])


def changed(asking: Asking, place: Place) -> Step:
    """A page of what was created since; all that is new is asked about, as a row says little."""
    page = asking.list(place.walk, after_s=place.since_ms // 1000 - OVERLAP_S)
    jobs = _jobs(asking, page)
    fresh = [
        job
        for job, row in zip(jobs, page.rows, strict=True)
        if not job.is_final or milliseconds(row["LastModifiedTime"]) > place.since_ms
    ]
    return _read(place, page, jobs, fresh)


def opened(asking: Asking, place: Place) -> Step:
    """Descriptions of some that had not ended; those that have, or are gone, are not asked about again."""
    now, later = place.asking[:AT_ONCE], place.asking[AT_ONCE:]
    told = {ref: asking.described(read_reference(PlatformRef(ref))) for ref in now}
    jobs = tuple(asking.job(one) for one in told.values() if one is not None)
    deleted = tuple(PlatformRef(ref) for ref, one in told.items() if one is None)
    ended = {str(job.ref) for job in jobs if job.is_final} | set(deleted)
    place = replace(place, asking=later, open=tuple(ref for ref in place.open if ref not in ended))
    if later:
        return Step(place, jobs, deleted=deleted)
    return _rested(asking, replace(place, rounds=place.rounds + 1), jobs, deleted)


def _read(place: Place, page: Page, jobs: tuple[Job, ...], to_ask: Iterable[Job]) -> Step:
    newest_ms = max(place.newest_ms, page.newest_ms)
    open_ = tuple(dict.fromkeys([*place.open, *(str(job.ref) for job in to_ask)]))
    place = replace(place, walk=page.walk, now_s=page.now_s, newest_ms=newest_ms, open=open_)
    if page.is_last:
        since_ms = max(place.since_ms, newest_ms)
        place = replace(place, walk=Walk(), since_ms=since_ms, newest_ms=0, stage=OPEN, asking=open_)
    return Step(place, jobs)


def _rested(asking: Asking, place: Place, jobs: tuple[Job, ...], deleted: tuple[PlatformRef, ...]) -> Step:
    """The end of a round; once a day all names are read, as nothing else tells of jobs that were deleted."""
    if 0 <= place.now_s - place.swept_s < SWEEP_EVERY_S:
        return Step(replace(place, stage=CHANGES), jobs, is_done=True, deleted=deleted)
    unseen = tuple(digest(one.name, one.created_s) for one in asking.known())
    return Step(replace(place, stage=SWEEP, unseen=unseen), jobs, deleted=deleted)


def _jobs(asking: Asking, page: Page) -> tuple[Job, ...]:
    return tuple(_unexplained(asking.job(row)) for row in page.rows)


def _unexplained(job: Job) -> Job:
    """A row has no reason of a failure: none is guessed from that."""
    return replace(job, end_reason=None) if job.state is JobState.FAILED else job
