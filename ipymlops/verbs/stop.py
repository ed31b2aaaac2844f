"""`stop`: end jobs, and let go of machines that they keep; twice is harmless."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.job import Job
from ipymlops.verbs.chosen import JOB, jobs_of
from ipymlops.verbs.results import JobList
from ipymlops.verbs.verb import VerbOptions

HELP = "stop jobs; of one that has ended, only let go of a machine that is kept for the next"
EXAMPLES = ("ipymlops stop last",)


@dataclass(frozen=True)
class StopOptions(VerbOptions):
    """What a `stop` line says."""

    jobs: tuple[str, ...] = ()


OPTIONS = StopOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("jobs", nargs="*", default=SUPPRESS, metavar="JOB", help=JOB)


def run(options: StopOptions, context: Context) -> Job | JobList:
    from ipymlops.control.stop import stop

    stopped = [stop(context, job) for job in jobs_of("stop", options.jobs, context)]
    return stopped[0] if len(stopped) == 1 else JobList(tuple(stopped), (), context.clock.now())
