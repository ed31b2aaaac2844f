"""What is kept of jobs' code, and for how long: a courier clears up once it has delivered its job."""

from __future__ import annotations

from ipymlops.context import Context
from ipymlops.job import Job

REFS_DAYS = 90
"""So long the ref of a job holds its code, however long the job is over; that of a live one always."""

ARCHIVE_DAYS = 30
"""So long packed code is kept that no job has used."""


def tidy(context: Context, job: Job) -> None:
    """Clear up in the repository that this job came from, and in the home. Raises `SourceProblem`."""
    from ipymlops.source import prune, prune_archives

    intent = context.store.intent(job.id)
    if intent is not None and intent.code is not None:
        prune(intent.code.git_dir, [live.id for live in context.store.live()], REFS_DAYS)
    prune_archives(context.home / "code", ARCHIVE_DAYS)
