"""`show`: one job with everything known of it."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass
from datetime import datetime

from ipymlops.context import Context
from ipymlops.errors import IpymlopsError
from ipymlops.job import Job
from ipymlops.spec import Plan
from ipymlops.verbs.chosen import JOB, jobs_of
from ipymlops.verbs.results import JobDetails
from ipymlops.verbs.verb import VerbOptions

HELP = "show one job: what was sent, how it goes, why it failed"
EXAMPLES = ("ipymlops show last", "ipymlops show last --json")


@dataclass(frozen=True)
class ShowOptions(VerbOptions):
    """What a `show` line says."""

    job: str = ""


OPTIONS = ShowOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("job", nargs="?", default=SUPPRESS, metavar="JOB", help=JOB)


def run(options: ShowOptions, context: Context) -> JobDetails:
    from ipymlops.control.watch import refreshed

    [job] = jobs_of("show", [options.job] if options.job else [], context)
    job = _with_what_is_kept(context, refreshed(context, job))
    intent = context.store.intent(job.id)
    return JobDetails(job, intent, _last_output_at(context, job), None if intent else _read_back(context, job))


def _with_what_is_kept(context: Context, job: Job) -> Job:
    """What goes on costing after the end is asked for once more: nobody else does."""
    from ipymlops.control.kept import looked_at

    try:
        return looked_at(context, job) if job.is_final else job
    except IpymlopsError as problem:
        context.screen.note(f"{problem.what}; this is what was last known")
        return job


def _last_output_at(context: Context, job: Job) -> datetime | None:
    """Only what lives can be quiet; a platform that does not answer has been named already."""
    from ipymlops.control.logs import last_output_at

    try:
        return None if job.is_over else last_output_at(context, job)
    except IpymlopsError:
        return None


def _read_back(context: Context, job: Job) -> Plan | None:
    """What runs there, where the platform can tell; of what it cannot, a note says so."""
    from ipymlops.platforms.abilities import Lists

    if job.ref is None or job.is_deleted:
        return None
    try:
        platform = context.platforms[job.platform]
        return platform.plan_of(job.ref) if isinstance(platform, Lists) else None
    except IpymlopsError as problem:
        context.screen.note(f"{problem.what}; this is what was last known")
        return None
