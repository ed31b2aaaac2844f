"""`logs`: print what the script wrote, or follow it."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.control.wording import called
from ipymlops.errors import UsageProblem
from ipymlops.job import Job, LogLine
from ipymlops.verbs import values
from ipymlops.verbs.awaited import failure_of
from ipymlops.verbs.chosen import JOB, jobs_of
from ipymlops.verbs.remedy import Put, WrongLine
from ipymlops.verbs.results import LogLines
from ipymlops.verbs.verb import VerbOptions

HELP = "print a job's log, or follow it; interrupting a follow never stops the job"
EXAMPLES = ("ipymlops logs last", "ipymlops logs last --tail 20 --grep 'loss|error'", "ipymlops logs last -f")


@dataclass(frozen=True)
class LogsOptions(VerbOptions):
    """Attributes: `node` None for all; `since` as typed, `10m` or a date."""

    jobs: tuple[str, ...] = ()
    follow: bool = False
    grep: str | None = None
    tail: int | None = None
    since: str | None = None
    node: int | None = None


OPTIONS = LogsOptions


def add_arguments(parser: ArgumentParser) -> None:
    add, number = parser.add_argument, values.whole_number
    add("jobs", nargs="*", default=SUPPRESS, metavar="JOB", help=JOB)
    add("--follow", "-f", action="store_true", default=SUPPRESS, help="go on until the job has ended")
    add("--grep", metavar="RE", default=SUPPRESS, type=values.pattern, help="only lines that match, before --tail")
    add("--tail", metavar="N", default=SUPPRESS, type=number("--tail", 0), help="only the last N lines")
    add("--since", metavar="10m", default=SUPPRESS, type=values.moment, help="only lines younger than that, or a date")
    add("--node", metavar="N", default=SUPPRESS, type=number("--node", 0), help="only that node of several")


def run(options: LogsOptions, context: Context) -> LogLines | None:
    """Lines go to the screen as they are read; only a whole log as JSON is collected."""
    jobs = jobs_of("logs", options.jobs, context)
    _refuse_several(options, jobs)
    for job in jobs:
        _refuse_node(options.node, job)
    if options.as_json and not options.follow:
        return LogLines(jobs[0], tuple(_lines(jobs[0], options, context)))
    if options.follow:
        _follow(jobs[0], options, context)
        return None
    for job in jobs:
        if len(jobs) > 1:
            context.screen.note(f"==> {called(job)} <==")
        for line in _lines(job, options, context):
            context.screen.log(line, with_rank=job.nodes > 1)
    return None


def _follow(job: Job, options: LogsOptions, context: Context) -> None:
    from ipymlops.control.follow import detaching_from

    with detaching_from(job), context.screen.following(job):
        for line in _lines(job, options, context):
            context.screen.log(line, with_rank=job.nodes > 1)
    failure = failure_of([context.store.get(job.id)])
    if failure:
        raise failure


def _lines(job: Job, options: LogsOptions, context: Context) -> Iterator[LogLine]:
    from ipymlops.control.logs import read

    return read(
        context,
        job,
        follow=options.follow,
        grep=options.grep,
        since_s=_since_s(options.since, context),
        tail=options.tail,
        node=options.node,
        on_change=context.screen.card,
    )


def _since_s(since: str | None, context: Context) -> float | None:
    if since is None:
        return None
    from ipymlops.units import parse_moment

    now = context.clock.now()
    return max(0.0, (now - parse_moment(since, now)).total_seconds())


def _refuse_several(options: LogsOptions, jobs: Sequence[Job]) -> None:
    if len(jobs) > 1 and (options.follow or options.as_json):
        flag = "--follow" if options.follow else "--json"
        fix = f"ipymlops logs {jobs[0].number} {flag}"
        raise UsageProblem(f"logs {flag} takes one job", why=f"{len(jobs)} were named", fix=fix)


def _refuse_node(node: int | None, job: Job) -> None:
    if node is not None and node >= job.nodes:
        why = f"job {job.number} has {job.nodes} node{'s' if job.nodes > 1 else ''}; the first is 0"
        raise WrongLine(f"--node {node}: there is no such node", why=why, edit=Put("--node", "0"))
