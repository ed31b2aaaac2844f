"""`diff`: what changed in code, arguments, environment and metrics."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass

from ipymlops.verbs.verb import VerbOptions

HELP = "what changed between two jobs, or between a job and this folder"
EXAMPLES = ("ipymlops diff last",)

Section = tuple[str, tuple[str, ...]]
ASKED = ("gpu", "machine_type", "nodes", "image", "python", "env", "data", "secrets", "settings", "max_runtime_s")


@dataclass(frozen=True)
class DiffOptions(VerbOptions):
    """What a `diff` line says."""

    job: str = ""
    other: str | None = None


OPTIONS = DiffOptions


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("job", nargs="?", default=SUPPRESS, metavar="JOB", help=JOB)
    add("other", nargs="?", default=SUPPRESS, metavar="JOB", help="the other job; without it, this folder as it stands")
