"""`train`: send this repository's code, as it stands, and run it as a job."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ipymlops.context import Context
from ipymlops.errors import IpymlopsError, UsageProblem
from ipymlops.job import Job
from ipymlops.verbs import scan
from ipymlops.verbs.awaited import failure_of
from ipymlops.verbs.handle import JobHandle
from ipymlops.verbs.intending import intended
from ipymlops.verbs.results import PlanReport
from ipymlops.verbs.train_options import TrainOptions, add_arguments

__all__ = ["EXAMPLES", "HELP", "OPTIONS", "add_arguments", "problem", "read", "run"]

HELP = "send this code as it stands and run it as a job"
EXAMPLES = (
    "ipymlops train train.py --lr 3e-4",
    "ipymlops train --plan train.py",
    "ipymlops train -f --name first-try train.py",
    "ipymlops train -- python3 -c 'print(1)'",
)
OPTIONS = TrainOptions


def run(options: TrainOptions, context: Context) -> JobHandle | PlanReport:
    """Plan, record, send; the cell is back at once unless it asked to follow or to wait."""
    asked = intended(options, context)
    if options.plan:
        return PlanReport(asked.intent, asked.hints)
    from ipymlops.control.submit import submit

    submitted = submit(context, asked.intent, stem=asked.stem, again=options.again)
    job = submitted.job
    if not submitted.is_new:
        context.screen.note(reattached(job))
    context.screen.card(job, asked.intent if submitted.is_new else context.store.intent(job.id), asked.hints)
    if options.follow:
        _follow(job, context)
    elif options.wait:
        _wait(job, context)
    return JobHandle(job.id, context)


def problem(options: TrainOptions, result: JobHandle | PlanReport) -> IpymlopsError | None:
    """What is raised after the card: the job was awaited and did not succeed."""
    if isinstance(result, PlanReport) or not (options.follow or options.wait):
        return None
    return failure_of([result.record])


def reattached(job: Job) -> str:
    return f"this very job is live already: here is {job.name}, nothing was sent again; --again starts another"


def _follow(job: Job, context: Context) -> None:
    from ipymlops.control.follow import follow

    screen = context.screen
    with screen.following(job):
        follow(context, job, on_line=lambda line: screen.log(line, with_rank=job.nodes > 1), on_change=screen.card)


def _wait(job: Job, context: Context) -> None:
    from ipymlops.control.watch import wait

    wait(context, [job], on_change=context.screen.card)


def read(parser: ArgumentParser, words: Sequence[str], cell: str | None) -> TrainOptions:
    """Our options up to the script; then the script's own words, untouched, and the cell's lines after them."""
    from ipymlops.verbs.request import filled

    found = scan.scan(words, scan.table_of(parser), stops=True)
    options = cast("TrainOptions", filled(TrainOptions, parser, found.words()))
    script, argv = target(found.rest, no_code=options.no_code)
    return replace(options, script=script, argv=(*argv, *cell_lines(cell)))


def target(rest: Sequence[str], *, no_code: bool) -> tuple[str | None, tuple[str, ...]]:
    """The script ("" for the default one, None for a command) and what follows it."""
    if no_code:
        return None, tuple(rest[1:] if rest[:1] == ("--",) else rest)
    if not rest or rest[0] == ".":
        return "", tuple(rest[1:])
    if rest[0] == "--":
        return None, tuple(rest[1:])
    if rest[0] != "-m":
        return _named(rest[0]), tuple(rest[1:])
    if len(rest) == 1 or not rest[1] or " " in rest[1]:
        raise UsageProblem("-m needs the name of a module", why="for example -m pkg.train")
    return f"-m {rest[1]}", tuple(rest[2:])


def _named(word: str) -> str:
    if not word:
        raise UsageProblem("the script's name is empty", why="a . stands for the default script")
    return word


def cell_lines(cell: str | None) -> list[str]:
    """One argument a line: exactly one final newline dropped, split at newlines only."""
    return cell.removesuffix("\n").split("\n") if cell else []
