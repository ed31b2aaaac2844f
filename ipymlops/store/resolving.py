"""Which job a word means, the same rules for every store."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator, Sequence
from typing import Protocol

from ipymlops.errors import UnknownJob
from ipymlops.job import Job

SHORTEST_PREFIX = 4
MOST_CANDIDATES = 5
_MOST_DIGITS = 18
"""A longer number is no job's."""
_NEAR = 500
"""How many of the newest jobs a misspelt word is compared with."""


class Lookup(Protocol):
    """What a store looks up. Lists are newest first and hold at most one more than `MOST_CANDIDATES`."""

    def numbered(self, number: int) -> Job | None: ...

    def identified(self, job_id: str) -> Job | None: ...

    def named(self, name: str) -> Sequence[Job]: ...

    def begun(self, prefix: str) -> Sequence[Job]:
        """Jobs whose id begins with the prefix."""

    def containing(self, part: str) -> Sequence[Job]:
        """Jobs whose name holds the part, both case-folded."""

    def newest(self, limit: int) -> Sequence[Job]: ...

    def last(self) -> Job | None:
        """The newest of ours."""


def resolve(word: str, lookup: Lookup) -> Job:
    """The rules of `Store.resolve`: the first that finds something decides."""
    for found in _found(word, lookup):
        if len(found) == 1:
            return found[0]
        if found:
            raise _ambiguous(word, found)
    raise unknown(word, lookup)


def _found(word: str, lookup: Lookup) -> Iterator[Sequence[Job]]:
    if not word:
        return
    if word.isascii() and word.isdigit() and len(word) <= _MOST_DIGITS:
        yield _one(lookup.numbered(int(word)))
    if word == "last":  # never somebody else's: `stop last` must end none of those
        yield _one(lookup.last())
    yield _one(lookup.identified(word))
    yield lookup.named(word)
    if len(word) >= SHORTEST_PREFIX:
        yield lookup.begun(word)
    yield lookup.containing(word)


def _one(job: Job | None) -> tuple[Job, ...]:
    return () if job is None else (job,)


def unknown(word: str, lookup: Lookup) -> UnknownJob:
    """The error for a word that means no job, with the nearest names."""
    recent = lookup.newest(_NEAR)
    if not recent:
        return UnknownJob(f"no job is called {word!r}", why="there are no jobs yet", fix="ipymlops train --help")
    near = difflib.get_close_matches(word, [job.name for job in recent], 3)
    if not near:
        return UnknownJob(
            f"no job is called {word!r}", why=f"the newest is {_described(recent[0])}", fix="ipymlops jobs"
        )
    why = f"did you mean {' or '.join(repr(name) for name in near)}?"
    fix = f"ipymlops show {shlex.quote(near[0])}"
    return UnknownJob(f"no job is called {word!r}", why=why, fix=fix, word=word, meant=near[0])


def _ambiguous(word: str, found: Sequence[Job]) -> UnknownJob:
    """The candidates, and of these the newest that is live, else the newest, as the one that was probably meant."""
    more = " and more" if len(found) > MOST_CANDIDATES else ""
    candidates = ", ".join(_described(job) for job in found[:MOST_CANDIDATES])
    meant = str(next((job for job in found if not job.is_final), found[0]).number)
    why, fix = f"it may mean {candidates}{more}", f"ipymlops show {meant}"
    return UnknownJob(f"several jobs answer to {word!r}", why=why, fix=fix, word=word, meant=meant)


def _described(job: Job) -> str:
    return f"{job.number} ({job.name}, {job.state.value})"
