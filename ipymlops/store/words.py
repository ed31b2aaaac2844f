"""Words in jobs: what is searched, how text is folded, and the plain predicate that every store agrees with."""

from __future__ import annotations

import re

from ipymlops.job import Job
from ipymlops.store.base import JobQuery

SEPARATOR = "\U0010f011"
"""Stands between two fields; never part of folded text, so no word reaches across."""

SHORTEST_INDEXED = 3
"""The word index knows sequences of three characters."""

_ESCAPE = "\U0010f010"
_DIGITS = 0x10F000
_UNSAFE = re.compile("[\x00\ud800-\udfff\U0010f000-\U0010f011]")


def fields_of(job: Job) -> tuple[str, ...]:
    """The searched fields; the name comes first."""
    error = job.error or {}
    machine = (job.machine_type, job.accelerator)
    who = (job.commit, job.branch, job.user, job.platform)
    labels = [f"{key}={value}" for key, value in job.labels.items()]
    said = (error.get("what"), error.get("why"))
    fields = [" ".join([job.script or "", *job.argv]).strip(" "), *labels, *who, *machine, job.state.value, *said]
    return (job.name, *(str(field) for field in fields if field))


def matches(query: JobQuery, job: Job) -> bool:
    """Whether every part of the query holds."""
    in_time = (query.since is None or query.since <= job.created_at) and (
        query.until is None or job.created_at <= query.until
    )
    in_state = not query.states or job.state in query.states
    in_platform = not query.platforms or job.platform in query.platforms
    is_meant = in_time and in_state and in_platform and (job.is_ours or not query.only_ours)
    return is_meant and has_words(query.words, job)


def has_words(words: tuple[str, ...], job: Job) -> bool:
    if not words:
        return True
    fields = [field.casefold() for field in fields_of(job)]
    return all(any(word.casefold() in field for field in fields) for word in words)


def searched_text(job: Job) -> str:
    """All fields as one text. Each ends with the separator, so that every character begins a sequence of three."""
    return "".join(folded(field) + SEPARATOR for field in fields_of(job)) + SEPARATOR


def folded(text: str) -> str:
    """Case-folded, in the form a store can hold."""
    return storable(text.casefold())


def storable(text: str) -> str:
    """The text with NUL, lone surrogates and our own marks escaped, as SQLite holds none of the first two.

    Every escape has the same length, begins with a mark of its own and uses digits of its own: one text occurs in
    another exactly if their escaped forms do.
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return _ESCAPE + "".join(chr(_DIGITS + int(digit, 16)) for digit in f"{ord(found[0]):06x}")
