"""What has changed in the code since the last job that was sent from the same folder."""

from __future__ import annotations

from dataclasses import replace

from ipymlops.context import Context
from ipymlops.errors import SourceProblem
from ipymlops.spec import Snapshot
from ipymlops.store.base import JobQuery

NEWEST = 20
"""How many jobs are looked through for the last one of this folder."""


def since_last_job(code: Snapshot, context: Context) -> Snapshot:
    """The snapshot with the changes since the last job; as it was where there is none to compare with."""
    from ipymlops.source import changed_paths

    last = _last_of(code, context)
    if last is None:
        return code
    name, before = last
    try:
        return replace(code, last_job=name, since_last=changed_paths(before, code))
    except SourceProblem:  # its objects have been pruned: then nothing is said, rather than guessed
        return code


def _last_of(code: Snapshot, context: Context) -> tuple[str, Snapshot] | None:
    """Name and code of the newest job that was sent from the same folder."""
    if not context.home.exists():
        return None  # a plan leaves nothing behind, not even an empty list of jobs
    for job in context.store.find(JobQuery(), limit=NEWEST):
        intent = context.store.intent(job.id) if job.tree else None
        if intent is not None and intent.code is not None and intent.code.root == code.root:
            return job.name, intent.code
    return None
