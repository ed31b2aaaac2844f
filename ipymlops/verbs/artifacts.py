"""`artifacts`: a job's files, listed or fetched."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from dataclasses import dataclass
from pathlib import Path

from ipymlops.context import Context
from ipymlops.errors import SourceProblem, UsageProblem
from ipymlops.verbs.chosen import JOB, jobs_of
from ipymlops.verbs.remedy import Put, WrongLine
from ipymlops.verbs.results import ArtifactList
from ipymlops.verbs.verb import VerbOptions

HELP = "list a job's files; with --to fetch them, while it runs too"
EXAMPLES = ("ipymlops artifacts last", "ipymlops artifacts last '*.json' --to results")


@dataclass(frozen=True)
class ArtifactsOptions(VerbOptions):
    """What a `artifacts` line says."""

    job: str = ""
    glob: str | None = None
    to: str | None = None
    force: bool = False


OPTIONS = ArtifactsOptions


def add_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("job", nargs="?", default=SUPPRESS, metavar="JOB", help=JOB)
    add("glob", nargs="?", default=SUPPRESS, metavar="GLOB", help="only files that match; * crosses /")
    add("--to", metavar="DIR", default=SUPPRESS, help="fetch them to that folder")
    add("--force", action="store_true", default=SUPPRESS, help="overwrite files that differ")


def run(options: ArtifactsOptions, context: Context) -> ArtifactList:
    from ipymlops.control import artifacts

    [job] = jobs_of("artifacts", [options.job] if options.job else [], context)
    if options.to is None:
        if options.force:
            raise WrongLine("--force is for fetching", why="there is no --to DIR", edit=Put("--to", "results"))
        return ArtifactList(job, artifacts.listed(context, job, options.glob), glob=options.glob)
    to = folder(options.to, context)
    fetched = artifacts.fetch(context, job, options.glob, to, force=options.force)
    if fetched and _joins_code(to, fetched[0].path, context):
        context.screen.note(f"{to} is not ignored by git: the next train sends what is in it, too")
    return ArtifactList(job, fetched, to, glob=options.glob)


def _joins_code(to: Path, path: str, context: Context) -> bool:
    from ipymlops.source.ignored import joins_code

    try:
        return joins_code(to.resolve() / path, context.cwd.resolve())
    except SourceProblem:  # no git: then nothing is said
        return False


def folder(text: str, context: Context) -> Path:
    """A folder named on a line, which may not be there yet. Raises `UsageProblem` if it is something else."""
    path = context.cwd / Path(text).expanduser()
    if not text or "\0" in text:
        raise UsageProblem(f"{text!r} is no folder's name")
    first_there = next(one for one in (path, *path.parents) if one.exists() or one.is_symlink())
    if not first_there.is_dir():
        raise UsageProblem(f"{text} cannot be a folder", why=f"{first_there} is a file")
    return path
