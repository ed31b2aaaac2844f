"""`wait`: block until jobs are final."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.errors import IpymlopsError
from ipymlops.verbs.awaited import failure_of
from ipymlops.verbs.chosen import JOB, jobs_of
from ipymlops.verbs.results import JobList
from ipymlops.verbs.verb import VerbOptions

HELP = "wait until the jobs have ended; an error if one did not succeed"
EXAMPLES = ("ipymlops wait last", "ipymlops wait last --json")


@dataclass(frozen=True)
class WaitOptions(VerbOptions):
    """What a `wait` line says."""

    jobs: tuple[str, ...] = ()


OPTIONS = WaitOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", default=SUPPRESS, metavar="JOB", help=JOB)


def run(options: WaitOptions, context: Context) -> JobList:
    from ipymlops.control.watch import wait

    jobs = wait(context, jobs_of("wait", options.jobs, context))
    return JobList(tuple(jobs), (), context.clock.now())


def problem(_options: WaitOptions, result: JobList) -> IpymlopsError | None:
    return failure_of(result.jobs)
