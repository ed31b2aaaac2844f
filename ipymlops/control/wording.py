"""Jobs and lines as we speak of them: lines can be pasted."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ipymlops.job import Job

SHOWN = 3


def line(*words: object) -> str:
    """`ipymlops WORDS`, each word quoted; a notebook's front door turns it into a magic's line."""
    return " ".join(["ipymlops", *(shlex.quote(str(word)) for word in words)])


def called(job: Job) -> str:
    """The job as we speak of it: `job 41 (train-41)`."""
    return f"job {job.number} ({job.name})"


def listing(words: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more
