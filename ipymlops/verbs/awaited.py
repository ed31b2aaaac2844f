"""A job that was awaited and did not succeed."""

from __future__ import annotations

from collections.abc import Sequence

from ipymlops.errors import JobDidNotSucceed
from ipymlops.job import Job, JobState


def failure_of(jobs: Sequence[Job]) -> JobDidNotSucceed | None:
    """What to raise for the jobs that did not succeed: the first one's cause, and who the others are."""
    bad = [job for job in jobs if job.state is not JobState.SUCCEEDED]
    if not bad:
        return None
    job = bad[0]
    others = f"; so did not {', '.join(_called(one) for one in bad[1:])}" if bad[1:] else ""
    return JobDidNotSucceed(
        f"{_called(job)} did not succeed: {_how(job)}{others}", why=_cause(job), fix=f"ipymlops show {job.number}"
    )


def _called(job: Job) -> str:
    return f"job {job.number} ({job.name})"


def _how(job: Job) -> str:
    reason = f", {job.end_reason.value}" if job.end_reason else ""
    exit_code = f" {job.exit_code}" if job.exit_code is not None and reason.endswith("exit_code") else ""
    return f"{job.state.value}{reason}{exit_code}"


def _cause(job: Job) -> str:
    error = job.error or {}
    place = f" ({error['file']}:{error['line']})" if error.get("file") and error.get("line") else ""
    return f"{error['what']}{place}" if error.get("what") else job.detail
