"""`checkout`: a job's exact code, in a folder of its own."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass

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
