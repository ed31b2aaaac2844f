"""The jobs that the words of a line mean."""

from __future__ import annotations

from collections.abc import Sequence

from ipymlops.context import Context
from ipymlops.errors import UnknownJob, UsageProblem
from ipymlops.job import Job

JOB = "number, last, id, name or a part of it"
"""What the help says of a JOB."""


def jobs_of(verb: str, words: Sequence[str], context: Context) -> list[Job]:
    """Each word's job, none twice. Raises `UnknownJob`, or `UsageProblem` without a word."""
    if not words:
        raise UsageProblem(
            f"{verb} needs to know which job",
            why="a number, last, an id, a name or a part of one; `jobs` lists them",
            fix=f"ipymlops {verb} last",
        )
    found = {job.id: job for job in (job_of(word, context) for word in words)}
    return list(found.values())


def job_of(word: str, context: Context) -> Job:
    """The word's job; where none has that name, it may be one of the account that is not listed yet."""
    try:
        return context.store.resolve(word)
    except UnknownJob as unknown:
        if not _may_be_listed(word, unknown):
            raise
    from ipymlops.control.listing import refresh_list

    report = refresh_list(context)
    try:
        return context.store.resolve(word)
    except UnknownJob as unknown:
        for one in report.errors:
            unknown.why += f"; {one['platform']}: {one['what']}, {one['why']}"
        raise


def _may_be_listed(word: str, unknown: UnknownJob) -> bool:
    is_ambiguous = unknown.meant.isdigit()
    return bool(word) and word != "last" and not word.isdigit() and not is_ambiguous
