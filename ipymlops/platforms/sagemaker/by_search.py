"""The list by Search: whole descriptions with tags, but from an index that lags up to a minute behind."""

from __future__ import annotations

from dataclasses import replace

from ipymlops.job import Job
from ipymlops.platforms.sagemaker.asking import Asking, Page, Step
from ipymlops.platforms.sagemaker.place import CHANGES, CHECK, SWEEP, Place, Walk
from ipymlops.platforms.sagemaker.sweep import digest

OVERLAP_S = 600
"""So much of what was seen is read again: the index may have got it late."""
CHECK_EVERY_S = 600
SETTLED_S = 3600
"""A job so old is in the index; only such are counted against the recorded ones."""


def filled(asking: Asking, place: Place) -> Step | None:
    """A page of all jobs, the newest first; None where Search is not allowed."""
    page = asking.search(place.walk, "CreationTime")
    if page is None:
        return None
    if not place.walk.is_begun:  # whatever changes from here on, the changes will tell
        place = replace(place, total=page.total, since_ms=page.now_s * 1000)
    place = replace(place, walk=page.walk, now_s=page.now_s)
    if page.is_last:
        place = replace(place, walk=Walk(), stage=CHECK)
    return Step(place, _jobs(asking, page))


def changed(asking: Asking, place: Place) -> Step | None:
    """A page of what has changed since, the latest first; None where Search is not allowed any more."""
    page = asking.search(
        place.walk, "LastModifiedTime", ("LastModifiedTime", "GreaterThanOrEqualTo", place.since_ms // 1000 - OVERLAP_S)
    )
    if page is None:
        return None
    place = replace(place, walk=page.walk, now_s=page.now_s, newest_ms=max(place.newest_ms, page.newest_ms))
    if not page.is_last:
        return Step(place, _jobs(asking, page))
    is_due = not 0 <= page.now_s - place.checked_s < CHECK_EVERY_S
    since_ms, stage = max(place.since_ms, place.newest_ms), CHECK if is_due else CHANGES
    place = replace(place, walk=Walk(), since_ms=since_ms, newest_ms=0, stage=stage)
    return Step(place, _jobs(asking, page), is_done=not is_due)


def check(asking: Asking, place: Place) -> Step:
    """Compare how many jobs there are with how many are recorded: where some are missing, all names are read."""
    settled_s = place.now_s - SETTLED_S
    page = asking.search(Walk(), "CreationTime", ("CreationTime", "LessThanOrEqualTo", settled_s), size=1)
    place = replace(place, stage=CHANGES, checked_s=place.now_s)
    if page is None or page.total is None:
        return Step(place, is_done=True)
    known = [one for one in asking.known() if (one.created_s or 0) < settled_s]
    gap = max(0, len(known) - page.total)
    if gap <= place.gap:
        return Step(replace(place, gap=gap), is_done=True)
    return Step(replace(place, gap=gap, stage=SWEEP, unseen=tuple(digest(one.name, one.created_s) for one in known)))


def _jobs(asking: Asking, page: Page) -> tuple[Job, ...]:
    return tuple(asking.job(row) for row in page.rows)
