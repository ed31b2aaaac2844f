"""`jobs`: every job of every platform in one list."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ipymlops.context import Context
from ipymlops.errors import UsageProblem
from ipymlops.job import JobState
from ipymlops.nearest import nearest
from ipymlops.store.base import JobQuery
from ipymlops.verbs.results import JobList
from ipymlops.verbs.verb import VerbOptions

HELP = "list jobs; each word must occur somewhere in a job, state: platform: since: narrow"
EXAMPLES = ("ipymlops jobs", "ipymlops jobs state:failed since:2d", "ipymlops jobs platform:local lr")


@dataclass(frozen=True)
class JobsOptions(VerbOptions):
    """What a `jobs` line says."""

    words: tuple[str, ...] = ()


OPTIONS = JobsOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", default=SUPPRESS, metavar="WORD", help="in any field, or state:failed")


def run(options: JobsOptions, context: Context) -> JobList:
    from ipymlops.control.listing import refresh_list
    from ipymlops.control.watch import refresh

    asked = query(options.words, context)
    meant = {*asked.platforms, context.config.get("platform") or ""}
    troubles = [*refresh_list(context, asked=meant, only=asked.platforms).errors, *refresh(context).errors]
    errors = {one["platform"]: one for one in troubles}  # one of each platform is enough
    # others' jobs get their numbers as they are listed: the newest first, page by page
    jobs = sorted(context.store.find(asked), key=lambda job: (job.created_at, job.number), reverse=True)
    return JobList(tuple(jobs), tuple(errors.values()), context.clock.now(), options.words)


def query(words: Sequence[str], context: Context) -> JobQuery:
    """The words as a query; a word with a colon that is none of ours is a word like any other."""
    asked = JobQuery()
    for word in words:
        key, colon, value = word.partition(":")
        narrow = NARROWING.get(key) if colon else None
        asked = narrow(asked, value, context) if narrow else replace(asked, words=(*asked.words, word))
    return asked


def _state(asked: JobQuery, value: str, _context: Context) -> JobQuery:
    known = [state.value for state in JobState]
    return replace(asked, states=(*asked.states, JobState(_known("state", value, known))))


def _platform(asked: JobQuery, value: str, context: Context) -> JobQuery:
    recorded = {job.platform for job in context.store.find(JobQuery(platforms=(value,)), limit=1)}
    return replace(asked, platforms=(*asked.platforms, _known("platform", value, [*context.platforms, *recorded])))


def _since(asked: JobQuery, value: str, context: Context) -> JobQuery:
    from ipymlops.units import parse_moment

    try:
        return replace(asked, since=parse_moment(value, context.clock.now()))
    except UsageProblem as wrong:
        raise UsageProblem(f"since: {wrong.what}", why=wrong.why, fix="ipymlops jobs since:2d") from None


NARROWING: dict[str, Callable[[JobQuery, str, Context], JobQuery]] = {
    "state": _state,
    "platform": _platform,
    "since": _since,
}


def _known(key: str, value: str, known: Sequence[str]) -> str:
    if value in known:
        return value
    near = nearest(value, known)
    meant = f"did you mean {near}? " if near else ""
    raise UsageProblem(
        f"no {key} is called {value!r}",
        why=f"{meant}there are {', '.join(known)}",
        fix=f"ipymlops jobs {key}:{near or known[0]}",
    )
