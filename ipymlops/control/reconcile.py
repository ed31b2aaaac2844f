"""What a killed session left behind: recorded jobs that nobody is taking to their platform."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ipymlops.context import Context
from ipymlops.control.dispatch import lock_of, origin_of, send, this_host
from ipymlops.control.wording import line
from ipymlops.errors import IpymlopsError
from ipymlops.job import Job
from ipymlops.spec import JobId

ELSEWHERE_FOR = timedelta(minutes=10)
"""So long a job is left to the machine that recorded it, where several share a home."""


def reconcile(context: Context) -> tuple[JobId, ...]:
    """Send a courier for every live job that has none and needs one; returns whose. One query if there is none."""
    return tuple(job.id for job in context.store.live() if job.ref is None and sent_again(context, job))


def sent_again(context: Context, job: Job) -> bool:
    """Send a courier for a job without a reference, unless one is at it or another machine should."""
    if _is_elsewhere(context, job):
        return False
    with lock_of(context.home, job.id) as lock:
        if not lock.take():
            return False
        send(context, job.id, lock)
    return True


def _is_elsewhere(context: Context, job: Job) -> bool:
    origin = origin_of(context.home, job.id)
    if origin is None or origin.host == this_host():
        return False
    if _is_only_there(context, job):
        _tell_where(context, job, origin.host)
        return True
    return context.clock.now() - job.created_at < ELSEWHERE_FOR


def _is_only_there(context: Context, job: Job) -> bool:
    try:
        return context.platforms.kind(job.platform).is_here
    except IpymlopsError:  # not installed here: the courier will say so
        return False


def _tell_where(context: Context, job: Job, host: str) -> None:
    detail = f"to be started on {host}, where it was asked for; {line('stop', job.number)} gives it up"
    if job.detail != detail:
        context.store.update(job.id, lambda stored: replace(stored, detail=detail))
