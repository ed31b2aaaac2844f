"""Which blocks each result shows: one function per type, for text and HTML alike."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import singledispatch

from ipymlops.display import machines, sent, table
from ipymlops.display.blocks import Block, Cell, Fact, Facts, Heading, Lines, Notes, View
from ipymlops.display.card import Card
from ipymlops.display.looks import Tone
from ipymlops.display.plain import log_text, shortened
from ipymlops.job import Job
from ipymlops.spec import Intent, Plan
from ipymlops.units import count
from ipymlops.verbs.results import (
    ArtifactList,
    Checkout,
    Difference,
    DoctorReport,
    HelpText,
    JobDetails,
    JobList,
    LogLines,
    MachineList,
    PlanReport,
    SettingTable,
    SetupReport,
)

EXAMPLE = re.compile(r"^( *)ipymlops ", re.MULTILINE)
MOST_VALUE = 80


@dataclass(frozen=True)
class Reader:
    """Who reads: the time ages are counted to, and how commands are called there (`%mlops` or `ipymlops`)."""

    now: datetime
    door: str = "ipymlops"


@singledispatch
def view_of(result: object, _reader: Reader) -> View:
    """The blocks of a verb's result; None shows nothing, and what we do not know shows as its text."""
    lines = () if result is None else _cells(str(result))
    return View((Lines("", lines),) if lines else (), has_frame=False)


@view_of.register
def _(result: Job, reader: Reader) -> View:
    return Card(result, reader.now, door=reader.door).view()


@view_of.register
def _(result: JobDetails, reader: Reader) -> View:
    intent, job = result.intent, result.job
    at, plan = result.last_output_at, result.plan
    card = Card(job, reader.now, intent, last_output_at=at, door=reader.door, read_back=plan)
    view = card.detailed(tuple(_details(job, intent)))
    return replace(view, blocks=(*view.blocks, *_request(plan))) if plan else view


@view_of.register
def _(result: JobList, reader: Reader) -> View:
    return View(table.jobs(result, reader.door), has_frame=False)


@view_of.register
def _(result: PlanReport, _reader: Reader) -> View:
    spec, plan, code = result.intent.spec, result.intent.plan, result.intent.code
    rows = [sent.command(spec.script, spec.argv)] if spec.script or spec.argv else []
    rows += sent.code(code, result.intent.to_send_bytes, is_plan=True) if code else ()
    rows += [*sent.where(plan), sent.price(plan)]
    warnings, notes = (*result.hints, *(code.warnings if code else ())), plan.notes
    blocks: list[Block] = [_plan_heading(plan), *([Notes("warn", warnings)] if warnings else []), Facts(tuple(rows))]
    return View((*blocks, *([Notes("dim", notes)] if notes else []), *_request(plan)), "live")


@view_of.register
def _(result: LogLines, _reader: Reader) -> View:
    with_rank = len({line.node for line in result.lines}) > 1
    lines = [(f"[{one.node}] " if with_rank else "") + log_text(one.text) for one in result.lines]
    return View((Lines("", tuple(Cell(line) for line in lines)),), has_frame=False)


@view_of.register
def _(result: ArtifactList, reader: Reader) -> View:
    return View(table.artifacts(result, reader.door), has_frame=False)


@view_of.register
def _(result: Difference, _reader: Reader) -> View:
    blocks: list[Block] = [Heading("±", "live", f"{result.left} → {result.right}")]
    for title, rows in result.sections:
        lines = tuple(Cell(row, _diff_tone(row)) for row in rows)
        blocks.append(Lines(title, lines or (Cell("no difference", "dim"),)))
    if not result.sections:
        blocks.append(Notes("dim", ("no difference",)))
    return View(tuple(blocks), has_frame=False)


@view_of.register
def _(result: Checkout, _reader: Reader) -> View:
    title = f"{result.job.name}'s code is in {result.path}"
    return View((Heading("✓", "good", title, count(result.files, "file")),), has_frame=False)


@view_of.register
def _(result: DoctorReport, reader: Reader) -> View:
    return View(table.checks(result, reader.door), has_frame=False)


@view_of.register
def _(result: SetupReport, reader: Reader) -> View:
    return View(table.setup(result, reader.door), has_frame=False)


@view_of.register
def _(result: SettingTable, _reader: Reader) -> View:
    return View((table.settings(result),), has_frame=False)


@view_of.register
def _(result: MachineList, reader: Reader) -> View:
    return View(machines.listed(result, reader.door), has_frame=False)


@view_of.register
def _(result: HelpText, reader: Reader) -> View:
    """Examples as they are typed where they are read."""
    lines = EXAMPLE.sub(rf"\g<1>{reader.door} ", result.text)
    return View((Lines("", _cells(lines)),), has_frame=False)


def _plan_heading(plan: Plan) -> Heading:
    return Heading("◇ plan", "live", f"would run on {plan.platform}", "nothing was sent or started")


def _request(plan: Plan) -> list[Block]:
    if not plan.request:
        return []
    text = json.dumps(plan.request, indent=2, ensure_ascii=False, default=str)
    return [Lines("the plain request to the platform", _cells(text), is_folded=True)]


def _details(job: Job, intent: Intent | None) -> list[Fact]:
    rows = [("Id", str(job.id)), ("Tree", job.tree or ""), ("User", job.user or ""), ("Labels", _pairs(job.labels))]
    if intent:
        spec, code = intent.spec, intent.code
        rows += [("Variables", _pairs(dict(spec.env))), ("Secrets", _pairs(dict(spec.secrets)))]
        rows += [("Data", _pairs(dict(spec.data))), ("Sent from", code.root if code else "")]
    return [Fact(label, value, "dim") for label, value in rows if value]


def _pairs(pairs: Mapping[str, str]) -> str:
    return " · ".join(f"{key}={shortened(value, MOST_VALUE)}" for key, value in pairs.items())


def _diff_tone(row: str) -> Tone:
    if row.startswith(("diff ", "index ")):
        return "dim"
    if row.startswith(("+++ ", "--- ")):
        return "strong"
    tones: dict[str, Tone] = {"+": "good", "-": "bad", "@": "live"}
    return tones.get(row[:1], "")


def _cells(text: str) -> tuple[Cell, ...]:
    return tuple(Cell(line) for line in text.rstrip("\n").split("\n")) if text else ()
