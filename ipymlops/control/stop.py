"""Stopping a job, wherever it is on its way."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ipymlops.context import Context
from ipymlops.control import kept, poll
from ipymlops.control.reconcile import sent_again
from ipymlops.errors import PlatformProblem
from ipymlops.job import EndReason, Job, JobState


def stop(context: Context, job: Job) -> Job:
    """Stop the job, and let go of a machine that it keeps; twice is harmless.

    Returns it as it is then: often still `stopping`.

    Raises: `PlatformProblem` where the platform could not be told; the job is then as it was.
    """
    job = context.store.update(job.id, partial(_before_it_starts, context))
    if job.is_final:
        return kept.let_go(context, job)
    if job.ref is None:  # it is being sent: its courier will pass the stop on
        sent_again(context, job)
        return job
    context.platforms[job.platform].stop(job.ref)
    job = context.store.update(job.id, _told)
    return _as_it_is(context, job)


def _before_it_starts(context: Context, job: Job) -> Job:
    """One atomic choice against the courier's claim: whoever writes first has it."""
    if job.is_final or job.ref is not None:
        return job
    if job.state is JobState.QUEUED:
        now = context.clock.now()
        detail, reason = "stopped before it started", EndReason.USER
        return replace(job, state=reason.state, end_reason=reason, detail=detail, ended_at=now)
    return replace(job, state=JobState.STOPPING, detail="to stop as soon as it is there")


def _told(job: Job) -> Job:
    return job if job.is_final else replace(job, state=JobState.STOPPING, detail="", error=None)


def _as_it_is(context: Context, job: Job) -> Job:
    try:
        return poll.ask(context, job)
    except PlatformProblem:  # it was told; how it goes, the watch will see
        return job
