"""`doctor`: only looks."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from ipymlops.context import Context
from ipymlops.errors import IpymlopsError, MissingExtra, PlatformProblem, UsageProblem
from ipymlops.nearest import nearest
from ipymlops.platforms.base import Check, Platform
from ipymlops.spec import JobSpec
from ipymlops.verbs.placing import HERE
from ipymlops.verbs.results import DoctorReport, SetupReport
from ipymlops.verbs.train_options import TABLE
from ipymlops.verbs.train_options import add_arguments as add_rows
from ipymlops.verbs.verb import VerbOptions

T = TypeVar("T")

HELP = "look whether everything is there; changes nothing"
EXAMPLES = ("ipymlops doctor", "ipymlops doctor local", "ipymlops doctor --json")
ASKED = ("gpu", "machine_type", "nodes", "image", "spot", "keep_warm_s")
"""The options of `train` that say which machine is to be looked at."""
ROWS = tuple(row for row in TABLE if row.field in ASKED)


@dataclass(frozen=True)
class DoctorOptions(VerbOptions):
    """What a `doctor` line says; without a platform it looks at all of them."""

    platform: str | None = None
    gpu: str | None = None
    machine_type: str | None = None
    nodes: int = 1
    image: str | None = None
    spot: bool = False
    keep_warm_s: int | None = None

    @property
    def spec(self) -> JobSpec | None:
        """A job with the machine that was asked for; None where none was."""
        spec = JobSpec(None, **{name: getattr(self, name) for name in ASKED})
        return None if spec == JobSpec(None) else spec


OPTIONS = DoctorOptions


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("platform", nargs="?", default=SUPPRESS, metavar="PLATFORM", help="only what it needs")
    add_rows(parser, ROWS)


def run(options: DoctorOptions, context: Context) -> DoctorReport:
    if options.platform is not None:
        refuse_unknown("doctor", options.platform, context)
        checks = (*general(context), *of_platform(options.platform, context, options.spec))
        return DoctorReport(checks, options.platform)
    used = context.config.get("platform") or HERE
    others = [name for name in context.platforms if name != used]
    optional = (_milder(check) for name in others for check in of_platform(name, context, options.spec))
    return DoctorReport((*general(context), *of_platform(used, context, options.spec), *optional), "this machine")


def without_context(_options: DoctorOptions, error: IpymlopsError) -> DoctorReport:
    """Settings or store cannot be opened: that is the finding."""
    return DoctorReport((_failed("ipymlops.open", error),), "this machine")


def problem(_options: VerbOptions, result: DoctorReport | SetupReport) -> IpymlopsError | None:
    """What is raised after the report, so that a script and Run-All notice."""
    failed = next((check for check in result.checks if check.status == "fail"), None)
    if failed is None:
        return None
    return PlatformProblem(f"{failed.id}: {failed.what}", why=failed.why, fix=failed.fix)


def refuse_unknown(verb: str, name: str, context: Context) -> None:
    """Raise `UsageProblem` for a name that no platform has; one without its library is known."""
    known = list(context.platforms)
    if name not in known:
        near = nearest(name, known)
        meant = f"did you mean {near}? " if near else ""
        why = f"{meant}there are {', '.join(known)}"
        raise UsageProblem(f"no platform is called {name!r}", why=why, fix=f"ipymlops {verb} {near or HERE}")


def of_platform(name: str, context: Context, spec: JobSpec | None = None) -> tuple[Check, ...]:
    """What the platform itself looks at; a missing library is one check.

    Args:
        spec: A job whose machine is looked at too.
    """

    def looked() -> tuple[Check, ...]:
        platform = context.platforms[name]
        return (*(_asked(platform, spec) if spec else ()), *platform.checks(spec))

    return caught(name, looked, lambda check: (check,))


def caught(name: str, look: Callable[[], T], otherwise: Callable[[Check], T]) -> T:
    """What `look` finds, or what a failed check stands for where the platform cannot be looked at at all."""
    try:
        return look()
    except MissingExtra as missing:
        return otherwise(_failed(f"{name}.library", missing))
    except IpymlopsError as problem:  # a setting that cannot be: the other platforms are looked at all the same
        return otherwise(_failed(f"{name}.answer", problem))


def _asked(platform: Platform, spec: JobSpec) -> Iterator[Check]:
    """Whether the platform has at all what is asked for."""
    lacks = [row.flag for row in ROWS if row.field not in platform.options and _is_asked(row.field, spec)]
    if lacks:
        why = f"{platform.title} has no {', '.join(lacks)}"
        yield Check(f"{platform.name}.options", "fail", f"{platform.name} cannot honour that", why, "ipymlops doctor")
    if spec.gpu and not platform.has_gpu(spec.gpu):
        why = f"{platform.title} has none"
        yield Check(f"{platform.name}.has_gpu", "fail", f"{platform.name} has no {spec.gpu}", why, "ipymlops gpus")
    elif spec.gpu:
        yield Check(f"{platform.name}.has_gpu", "ok", f"{platform.name} has {spec.gpu}")


def _is_asked(field: str, spec: JobSpec) -> bool:
    return bool(getattr(spec, field) != getattr(JobSpec(None), field))


def general(context: Context) -> Iterator[Check]:
    """What every platform needs."""
    yield _git()
    yield _code(context)
    yield _store(context)


def _git() -> Check:
    from ipymlops.source.git import find_git

    try:
        return Check("git.program", "ok", f"git is {find_git()}")
    except IpymlopsError as error:
        return _failed("git.program", error)


def _code(context: Context) -> Check:
    from ipymlops.source.repository import find_repository

    repository = find_repository(context.cwd.resolve())
    if repository is not None:
        return Check("code.repository", "ok", f"the code is the repository {repository.root}")
    return Check(
        "code.repository",
        "warn",
        f"{context.cwd} is in no git repository",
        why="the whole folder is sent, and no commit names the code of a job",
        fix="git init",
    )


def _store(context: Context) -> Check:
    if not context.home.exists():
        return Check("store.records", "ok", f"the records of jobs will be in {context.home}; there are none yet")
    try:
        live = context.store.live()
    except IpymlopsError as error:
        return _failed("store.records", error)
    return Check("store.records", "ok", f"the records of jobs are in {context.home}; {len(live)} live")


def _failed(check_id: str, error: IpymlopsError) -> Check:
    return Check(check_id, "fail", error.what, error.why, error.fix)


def _milder(check: Check) -> Check:
    """A platform that is installed with us but not used need not be ready."""
    return replace(check, status="warn") if check.status == "fail" else check
