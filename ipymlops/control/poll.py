"""One look at one job: ask its platform once, and write down what changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from ipymlops.context import Context
from ipymlops.control import kept
from ipymlops.control.wording import called, line
from ipymlops.job import EndReason, Job, JobState, JobStatus

GRACE_S = 120
"""So long after its cap a job may still be ending by the platform's own hand."""

SETTLING = timedelta(seconds=60)
"""A far platform may not yet show a job that it has just accepted."""

GOING = (JobState.QUEUED, JobState.STARTING, JobState.RUNNING, JobState.STOPPING)


def ask(context: Context, job: Job) -> Job:
    """The job as its platform says it is now; one round trip, and the store is written only where something changed.

    Raises: `PlatformProblem` where there was no answer; the record is then as it was.
    """
    if job.ref is None or job.is_final:
        return context.store.get(job.id)
    platform = context.platforms[job.platform]
    status = platform.status(job.ref)
    now = context.clock.now()
    if status.is_gone and not platform.is_here and now - job.created_at < SETTLING:
        return job
    change = partial(merged, context, status)
    if change(job) == job:
        return job
    fresh = context.store.update(job.id, change)
    return kept.let_go(context, fresh) if kept.is_left_by_a_stop(job, fresh) else fresh


def merged(context: Context, status: JobStatus, job: Job) -> Job:
    """The record after an answer. What was asked of the platform is kept until it shows."""
    if job.is_final:
        return job
    if status.is_gone:
        return gone(context, status, job)
    new = job.with_status(status)
    if job.state is JobState.STOPPING and new.state in GOING:
        return replace(new, state=JobState.STOPPING, detail=job.detail or new.detail, end_reason=job.end_reason)
    if job.end_reason is EndReason.TIMEOUT and new.end_reason is EndReason.USER:  # it was us: the cap
        return replace(new, end_reason=EndReason.TIMEOUT)
    return new


def over_cap_s(job: Job, now: datetime) -> float:
    """Seconds that a job has run beyond its cap and the grace; 0 where it has not, or where that is not known."""
    if job.state is not JobState.RUNNING or job.started_at is None or job.max_runtime_s is None:
        return 0.0
    return max(0.0, (now - job.started_at).total_seconds() - job.max_runtime_s - GRACE_S)


def end_by_cap(context: Context, job: Job) -> Job:
    """Stop a job that its platform let run beyond the cap."""
    if job.ref is not None:
        context.platforms[job.platform].stop(job.ref)
    return context.store.update(job.id, _capped)


def _capped(job: Job) -> Job:
    if job.is_final:
        return job
    detail = f"ran beyond its cap of {job.max_runtime_s} s and was told to stop"
    return replace(job, state=JobState.STOPPING, end_reason=EndReason.TIMEOUT, detail=detail)


def gone(context: Context, status: JobStatus, job: Job) -> Job:
    """The record of a job that had not ended and is no longer there."""
    if job.state is JobState.STOPPING:  # it was to stop, and it is nowhere
        reason = job.end_reason or EndReason.USER
        detail = f"{job.platform} no longer knows it"
        return replace(job, state=reason.state, end_reason=reason, detail=detail, ended_at=context.clock.now())
    error = {
        "what": f"{job.platform} no longer knows {called(job)}",
        "why": "it was deleted there, or its folder here; how it ended cannot be told",
        "fix": line("stop", job.number),
        "is_gone": True,
    }
    return replace(job, state=JobState.UNKNOWN, detail=status.detail or "gone", error=error)
