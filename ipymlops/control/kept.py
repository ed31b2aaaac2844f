"""Machines that are kept for the next job after theirs has ended (`--keep-warm`), and paid for meanwhile."""

from __future__ import annotations

from dataclasses import replace

from ipymlops.context import Context
from ipymlops.job import EndReason, Job, JobState


def looked_at(context: Context, job: Job) -> Job:
    """A job that has ended, with what its machine has cost by now and how long it is still kept.

    Where no machine was to be kept, nobody is asked. Raises: `PlatformProblem` where there was no answer.
    """
    if job.ref is None or not _is_asked_for(context, job):
        return job
    status = context.platforms[job.platform].status(job.ref)
    if status.is_gone or not status.state.is_final:
        return job

    def change(now: Job) -> Job:
        billed_s = now.billed_s if status.billed_s is None else status.billed_s
        return replace(now, kept_until=status.kept_until, billed_s=billed_s)

    return job if change(job) == job else context.store.update(job.id, change)


def let_go(context: Context, job: Job) -> Job:
    """End what is kept of a job that has ended. Raises: `PlatformProblem` where the platform could not be told."""
    if job.ref is None or not _is_asked_for(context, job):
        return job
    context.platforms[job.platform].stop(job.ref)
    return looked_at(context, job)


def is_left_by_a_stop(before: Job, job: Job) -> bool:
    """Whether a stop has ended the job and left its machine: a platform may let go of it only after the end."""
    is_by_stop = before.state is JobState.STOPPING and job.end_reason is EndReason.USER
    return job.is_ours and is_by_stop and job.is_final and job.kept_until is not None


def _is_asked_for(context: Context, job: Job) -> bool:
    intent = context.store.intent(job.id)
    return job.kept_until is not None or bool(intent and intent.spec.keep_warm_s)
