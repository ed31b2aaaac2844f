"""`checkout`: a job's exact code, in a folder of its own."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass

from ipymlops.context import Context
from ipymlops.control.wording import called
from ipymlops.errors import SourceProblem, UsageProblem
from ipymlops.job import Job
from ipymlops.spec import Snapshot
from ipymlops.verbs.artifacts import folder
from ipymlops.verbs.chosen import JOB, job_of
from ipymlops.verbs.results import Checkout
from ipymlops.verbs.verb import VerbOptions

HELP = "write the exact code of a job to a new folder; your own tree stays as it is"
EXAMPLES = ("ipymlops checkout last ../as-it-was",)


@dataclass(frozen=True)
class CheckoutOptions(VerbOptions):
    """What a `checkout` line says."""

    job: str = ""
    folder: str = ""


OPTIONS = CheckoutOptions


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("job", nargs="?", default=SUPPRESS, metavar="JOB", help=JOB)
    add("folder", nargs="?", default=SUPPRESS, metavar="DIR", help="a folder that is not there yet, or empty")


def run(options: CheckoutOptions, context: Context) -> Checkout:
    from ipymlops.source import checkout

    if not options.job or not options.folder:
        raise UsageProblem("checkout needs a job and a folder", why=f"for example {EXAMPLES[0]}", fix=EXAMPLES[0])
    job = job_of(options.job, context)
    code = code_of(job, context)
    place = folder(options.folder, context)
    return Checkout(job, place, checkout(code, place))


def code_of(job: Job, context: Context) -> Snapshot:
    """The snapshot that a job ran. Raises `SourceProblem` where it was sent none, or its objects are gone."""
    from ipymlops.source import is_kept

    intent = context.store.intent(job.id)
    if intent is None or intent.code is None:
        why = (
            "it runs an image as built" if intent else "it was not sent from here: only its platform knows what it runs"
        )
        raise SourceProblem(f"{called(job)} has no code of yours", why=why, fix=f"ipymlops show {job.number}")
    code = intent.code
    if not is_kept(code):
        what = f"the code of {called(job)} is no longer here"
        raise SourceProblem(what, why=f"{code.git_dir} does not have it (any more)", fix=f"ipymlops show {job.number}")
    return code
