"""`diff`: what changed in code, arguments, environment and metrics."""

from __future__ import annotations

import difflib
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipymlops.context import Context
from ipymlops.control.wording import called
from ipymlops.job import Job
from ipymlops.spec import JobSpec
from ipymlops.units import duration
from ipymlops.verbs.checkout import code_of
from ipymlops.verbs.chosen import JOB, job_of, jobs_of
from ipymlops.verbs.results import Difference
from ipymlops.verbs.snapshot import snapshot_of
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


def run(options: DiffOptions, context: Context) -> Difference:
    """Sections in the order of the promise; what did not change has none."""
    left = jobs_of("diff", [options.job] if options.job else [], context)[0]
    if options.other is None:
        return Difference(called(left), str(context.cwd), tuple(_section("code", _against_folder(left, context))))
    right = job_of(options.other, context)
    mine, others = _spec(left, context), _spec(right, context)
    sections = (
        *_section("code", _code(left, right, context)),
        *_section("arguments", _arguments(left, right)),
        *_section("environment", _environment(mine, others)),
        *_section("metrics", _rows(_figures(left), _figures(right))),
    )
    return Difference(called(left), called(right), sections)


def _section(title: str, rows: Iterable[str]) -> list[Section]:
    found = tuple(rows)
    return [(title, found)] if found else []


def _spec(job: Job, context: Context) -> JobSpec | None:
    intent = context.store.intent(job.id)
    return intent.spec if intent else None


def _code(left: Job, right: Job, context: Context) -> list[str]:
    from ipymlops.source import diff

    if left.tree == right.tree:
        return []
    mine, others = code_of(left, context), code_of(right, context)
    also = [others.git_dir] if others.git_dir != mine.git_dir else []
    return diff(mine.git_dir, mine.tree, others.tree, labels=(_label(left), _label(right)), also=also)


def _against_folder(job: Job, context: Context) -> list[str]:
    from ipymlops.source import diff

    mine, now = code_of(job, context), snapshot_of(context)
    also = [now.git_dir] if now.git_dir != mine.git_dir else []
    return diff(mine.git_dir, mine.tree, now.tree, labels=(_label(job), "now"), also=also)


def _label(job: Job) -> str:
    return str(job.number)


def _arguments(left: Job, right: Job) -> Iterator[str]:
    mine, others = (([*([job.script] if job.script else []), *job.argv]) for job in (left, right))
    rows = list(difflib.unified_diff(_visible(mine), _visible(others), lineterm="", n=2))
    return (row for row in rows[2:] if not row.startswith("@@"))  # without the two lines of its head


def _visible(words: Sequence[str]) -> list[str]:
    return [word if word.isprintable() and word else repr(word) for word in words]


def _environment(left: JobSpec | None, right: JobSpec | None) -> Iterator[str]:
    if left is None or right is None:
        return iter(())
    return _rows({name: getattr(left, name) for name in ASKED}, {name: getattr(right, name) for name in ASKED})


def _figures(job: Job) -> dict[str, Any]:
    took = {"duration": duration(job.duration_s)} if job.duration_s is not None else {}
    return {"state": job.state.value, **took, **{f"metric {name}": value for name, value in job.metrics.items()}}


def _rows(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    """`name: before → after`, for what differs."""
    for name in dict.fromkeys([*left, *right]):
        before, after = left.get(name), right.get(name)
        if before != after:
            yield f"{name}: {_shown(before)} → {_shown(after)}"


def _shown(value: Any) -> str:
    if value in (None, (), ""):
        return "-"
    if isinstance(value, tuple):
        return ", ".join("=".join(pair) for pair in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
