"""A job's log, read or followed, and narrowed on the way; memory stays flat however long it is."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from ipymlops.context import Context
from ipymlops.control.follow import Following
from ipymlops.control.watch import OnChange
from ipymlops.errors import UsageProblem
from ipymlops.job import Job, LogLine, LogPage

Keep = Callable[[LogLine], bool]


def read(
    context: Context,
    job: Job,
    *,
    follow: bool = False,
    grep: str | None = None,
    since_s: float | None = None,
    tail: int | None = None,
    node: int | None = None,
    on_change: OnChange | None = None,
) -> Iterator[LogLine]:
    """The lines so far, or with `follow` all lines until the job has ended.

    Args:
        grep: A regular expression that a line must match somewhere; applied before `tail`.
        since_s: Only lines of the last so many seconds; those of unknown time are kept.
        tail: Only the last so many of the lines so far; what comes later is not counted.
        node: Only that node's.
        on_change: With `follow`, gets the job when its record changed.

    Raises: `UsageProblem` for an expression that is none, before anything is read.
    """
    keeps = _keeps(context, grep, since_s, node)
    pages = Following(context, job, on_change).pages() if follow else _so_far(context, job)
    kept = (_kept(page, keeps) for page in pages)
    return (line for lines, _ in (kept if tail is None else _tailed(kept, tail)) for line in lines)


def last_output_at(context: Context, job: Job) -> datetime | None:
    """When the job last wrote a line; None where that is not known."""
    return context.platforms[job.platform].last_output_at(job.ref) if job.ref is not None else None


def _so_far(context: Context, job: Job) -> Iterator[LogPage]:
    """The pages that are there now."""
    if job.ref is None:
        return
    platform, cursor = context.platforms[job.platform], ""
    while True:
        page = platform.logs(job.ref, cursor)
        yield page
        if page.is_end or not page.lines:
            return
        cursor = page.cursor


def _keeps(context: Context, grep: str | None, since_s: float | None, node: int | None) -> list[Keep]:
    keeps: list[Keep] = []
    if node is not None:
        keeps.append(lambda line: line.node == node)
    if since_s is not None:
        earliest = context.clock.now() - timedelta(seconds=since_s)
        keeps.append(lambda line: line.time is None or line.time >= earliest)
    if grep is not None:
        found = _pattern(grep).search
        keeps.append(lambda line: found(line.text.decode(errors="surrogateescape")) is not None)
    return keeps


def _pattern(grep: str) -> re.Pattern[str]:
    try:
        return re.compile(grep)
    except (re.error, OverflowError, RecursionError) as wrong:
        why = f"{grep!r}: {wrong}"
        raise UsageProblem("--grep is no regular expression", why=why, fix=f"--grep {re.escape(grep)!r}") from wrong


def _kept(page: LogPage, keeps: list[Keep]) -> tuple[Iterable[LogLine], bool]:
    """The page's lines that are wanted, and whether all that was there has been given with it."""
    is_caught_up = page.is_end or not page.lines
    return [line for line in page.lines if all(keep(line) for keep in keeps)], is_caught_up


def _tailed(pages: Iterable[tuple[Iterable[LogLine], bool]], tail: int) -> Iterator[tuple[Iterable[LogLine], bool]]:
    """The last `tail` lines up to the first time that all is given, then everything."""
    last: deque[LogLine] = deque(maxlen=tail)
    is_live = False
    for lines, is_caught_up in pages:
        if is_live:
            yield lines, is_caught_up
            continue
        last.extend(lines)
        if is_caught_up:
            is_live = True
            yield list(last), True
    if not is_live:
        yield list(last), True
