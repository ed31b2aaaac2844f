"""A query as SQL: the newest jobs are read one by one, older ones through the indexes.

A common word is among the newest, so that reading them and stopping at the limit costs nothing; a rare one is what an
index is good at. Each alone is slow for the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ipymlops.job import Job
from ipymlops.store.base import JobQuery
from ipymlops.store.records import job_of, microseconds
from ipymlops.store.words import SEPARATOR, SHORTEST_INDEXED, folded, storable

RECENT = 2000
"""How many of the newest jobs are read one by one: less than 1 ms."""

_MOST_TERMS = 300
"""A short word that begins more sequences than this is looked for in the text itself."""

_SAMPLE = 128
"""Jobs, from the oldest to the newest, in which the rarest sequences of a word are looked for."""

_RAREST = 3
"""Sequences of a word that the index is asked for: a common one costs time and rules out nothing."""

_END = "\U0010ffff"


@dataclass(frozen=True)
class _Parts:
    """The conditions on `jobs`, with their values, and the folded words."""

    words: tuple[str, ...]
    conditions: tuple[str, ...]
    values: tuple[object, ...]
    narrowing: tuple[tuple[str, ...], ...]
    """Sets of words of which one must occur: they say again what a condition says, in the words of the index."""


def find(connection: sqlite3.Connection, query: JobQuery, limit: int | None, *, has_index: bool) -> list[Job]:
    """The jobs of the query, newest first. The caller holds a transaction."""
    return _found(connection, _parts_of(query), limit, has_index=has_index)


def named_like(connection: sqlite3.Connection, part: str, limit: int, *, has_index: bool) -> list[Job]:
    """The jobs whose name holds the part, case-folded: it occurs in the first field of the text."""
    word = folded(part)
    in_name = "instr(jobs.text, ?) < instr(jobs.text, ?)"
    parts = _Parts((word,), (in_name,), (word, SEPARATOR), ())
    return _found(connection, parts, limit, has_index=has_index)


def _found(connection: sqlite3.Connection, parts: _Parts, limit: int | None, *, has_index: bool) -> list[Job]:
    if limit is None:
        return _indexed(connection, parts, None, None, has_index=has_index)
    (newest,) = connection.execute("SELECT max(number) FROM jobs").fetchone()
    border = max(0, (newest or 0) - RECENT)
    jobs = _read(connection, parts, border, limit)
    if len(jobs) < limit and border:
        jobs += _indexed(connection, parts, border, limit - len(jobs), has_index=has_index)
    return jobs


def _parts_of(query: JobQuery) -> _Parts:
    words = tuple(dict.fromkeys(folded(word) for word in query.words if word))
    states = tuple(dict.fromkeys(state.value for state in query.states))
    platforms = tuple(dict.fromkeys(storable(name) for name in query.platforms))
    conditions: list[str] = []
    values: list[object] = []
    for column, wanted in (("state", states), ("platform", platforms)):
        if wanted:
            conditions.append(f"jobs.{column} IN ({', '.join('?' * len(wanted))})")
            values += wanted
    if query.only_ours:
        conditions.append("jobs.is_ours = 1")
    for sign, moment in ((">=", query.since), ("<=", query.until)):
        if moment is not None:
            conditions.append(f"jobs.created_at {sign} ?")
            values.append(microseconds(moment))
    named = tuple(folded(name) for name in query.platforms)
    narrowing = tuple(one for one in (states, named) if one and min(map(len, one)) >= SHORTEST_INDEXED)
    return _Parts(words, tuple(conditions), tuple(values), narrowing)


def _read(connection: sqlite3.Connection, parts: _Parts, border: int, limit: int) -> list[Job]:
    """From the newest down to the border, one by one, until the limit."""
    conditions = ["jobs.number > ?", *parts.conditions, *_occurs(parts.words)]
    return _jobs(connection, "jobs NOT INDEXED", conditions, (border, *parts.values, *parts.words), limit)


def _indexed(
    connection: sqlite3.Connection, parts: _Parts, border: int | None, limit: int | None, *, has_index: bool
) -> list[Job]:
    """Those up to the border, through the word index where it is there and up to date, else through the others."""
    below = [] if border is None else ["jobs.number <= ?"]
    bound = () if border is None else (border,)
    conditions = [*below, *parts.conditions, *_occurs(parts.words)]
    values = (*bound, *parts.values, *parts.words)
    if not has_index or not parts.words or connection.execute("SELECT 1 FROM stale LIMIT 1").fetchone():
        return _jobs(connection, "jobs", conditions, values, limit)
    expression = _expression(connection, parts)
    if expression is None:
        return []
    if not expression:
        return _jobs(connection, "jobs", conditions, values, limit)
    source = "words CROSS JOIN jobs ON jobs.number = words.rowid"  # CROSS: the index leads
    return _jobs(connection, source, ["words MATCH ?", *conditions], (expression, *values), limit, order="words.rowid")


def _expression(connection: sqlite3.Connection, parts: _Parts) -> str | None:
    """What the index is asked; it lets through all that can match, and a few more.

    None: a word occurs nowhere. Empty: the index cannot help.
    """
    sample = _sample(connection)
    asked = [_any_of(words, sample) for words in parts.narrowing]
    for word in parts.words:
        begun = (word,) if len(word) >= SHORTEST_INDEXED else _terms(connection, word)
        if not begun:
            return None
        if len(begun) < _MOST_TERMS:
            asked.insert(0, _any_of(begun, sample))
    return " AND ".join(asked)


def _sample(connection: sqlite3.Connection) -> list[str]:
    (newest,) = connection.execute("SELECT max(number) FROM jobs").fetchone()
    numbers = range(newest or 0, 0, -max(1, (newest or 0) // _SAMPLE))[:_SAMPLE]
    rows = connection.execute(f"SELECT text FROM jobs WHERE number IN ({', '.join('?' * len(numbers))})", numbers)  # noqa: S608
    return [text for (text,) in rows]


def _terms(connection: sqlite3.Connection, word: str) -> tuple[str, ...]:
    """The sequences of three that begin with a short word: every character of a text begins one."""
    rows = connection.execute(
        "SELECT term FROM terms WHERE term >= ? AND term < ? LIMIT ?", (word, word + _END, _MOST_TERMS)
    )
    return tuple(term for (term,) in rows)


def _any_of(words: Iterable[str], sample: Sequence[str]) -> str:
    return f"({' OR '.join(_all_of(_rarest(word, sample)) for word in words)})"


def _all_of(terms: Iterable[str]) -> str:
    quoted = ('"' + term.replace('"', '""') + '"' for term in terms)
    return f"({' AND '.join(quoted)})"


def _rarest(word: str, sample: Sequence[str]) -> list[str]:
    """The sequences of three in a word that the fewest of the sample have."""
    every = dict.fromkeys(word[begin : begin + SHORTEST_INDEXED] for begin in range(len(word) - SHORTEST_INDEXED + 1))
    counts = {term: sum(term in text for text in sample) for term in every}
    return sorted(counts, key=counts.__getitem__)[:_RAREST]


def _occurs(words: Sequence[str]) -> list[str]:
    return ["instr(jobs.text, ?) > 0"] * len(words)


def _jobs(
    connection: sqlite3.Connection,
    source: str,
    conditions: list[str],
    values: tuple[object, ...],
    limit: int | None,
    *,
    order: str = "jobs.number",
) -> list[Job]:
    """Every part of the statement is ours; a user's text is only ever a value."""
    where = " AND ".join(conditions) or "1"
    rows = connection.execute(
        f"SELECT records.job FROM {source} CROSS JOIN records ON records.number = jobs.number"  # noqa: S608
        f" WHERE {where} ORDER BY {order} DESC LIMIT ?",
        (*values, -1 if limit is None else limit),
    )
    return [job_of(text) for (text,) in rows]
