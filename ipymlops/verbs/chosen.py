"""The jobs that the words of a line mean."""

from __future__ import annotations

from collections.abc import Sequence

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
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
    return context.store.resolve(word)
