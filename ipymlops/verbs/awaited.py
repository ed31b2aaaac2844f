"""A job that was awaited and did not succeed."""

from __future__ import annotations

from collections.abc import Sequence

from ipymlops.control.wording import called
from ipymlops.errors import JobDidNotSucceed
from ipymlops.job import EndReason, Job, JobState

REASONS = {EndReason.USER: "as its user asked", EndReason.TIMEOUT: "at its time limit"}


def failure_of(jobs: Sequence[Job]) -> JobDidNotSucceed | None:
    """What to raise for the jobs that did not succeed: the first one's cause, and who the others are."""
    bad = [job for job in jobs if job.state is not JobState.SUCCEEDED]
    if not bad:
        return None
    job = bad[0]
    others = f"; so did not {', '.join(called(one) for one in bad[1:])}" if bad[1:] else ""
    return JobDidNotSucceed(
        f"{called(job)} did not succeed: {_how(job)}{others}", why=_cause(job), fix=f"ipymlops show {job.number}"
    )


def _how(job: Job) -> str:
    if job.end_reason is None:
        return job.state.value
    if job.end_reason is EndReason.EXIT_CODE and job.exit_code is not None:
        return f"{job.state.value}, exit code {job.exit_code}"
    return f"{job.state.value}, {REASONS.get(job.end_reason, job.end_reason.value.replace('_', ' '))}"


def _cause(job: Job) -> str:
    error = job.error or {}
    place = f" ({error['file']}:{error['line']})" if error.get("file") and error.get("line") else ""
    if error.get("what") and job.end_reason is EndReason.EXIT_CODE and not error.get("traceback"):
        return str(error.get("why") or error["what"])  # its exit code is told already
    if error.get("what"):
        return f"{error['what']}{place}"
    return "" if job.end_reason is EndReason.USER else job.detail
