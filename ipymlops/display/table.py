"""Results that are lists: jobs, files, checks, settings."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from ipymlops.display.blocks import Block, Cell, Fact, Facts, Heading, Notes, Table
from ipymlops.display.looks import CAUSES, Tone, badge, look_of
from ipymlops.display.plain import shortened
from ipymlops.display.sent import TIMES, spent_usd
from ipymlops.job import Artifact, EndReason, Job
from ipymlops.platforms.abilities import Proposal
from ipymlops.platforms.base import Check
from ipymlops.units import age, count, duration, figure, size, usd
from ipymlops.verbs.results import ArtifactList, DoctorReport, JobList, SettingRow, SettingTable, SetupReport

MOST_ROWS = 200
JOB_COLUMNS = ("#>", "state", "name", "where", "submitted", "took>", "cost>", "last values")
CHECK_LOOKS: dict[str, tuple[str, Tone]] = {
    "ok": ("✓ ok", "good"),
    "warn": ("! warn", "warn"),
    "fail": ("✗ fail", "bad"),
    "unknown": ("? unknown", "dim"),
}


def jobs(result: JobList, door: str) -> tuple[Block, ...]:
    """The newest 200 jobs, then what could not be asked."""
    shown = result.jobs[:MOST_ROWS]
    rows = tuple(_job_row(job, result.as_of) for job in shown)
    blocks: list[Block] = [_without_empty(JOB_COLUMNS, rows)]
    if not shown:
        blocks = [Notes("dim", (_none(result, door),))]
    if len(result.jobs) > MOST_ROWS:
        rest = len(result.jobs) - MOST_ROWS
        blocks.append(Notes("dim", (f"and {count(rest, 'older job')}: narrow with a word, {door} jobs WORD",)))
    errors = tuple(_error_words(error) for error in result.errors)
    return (*blocks, Notes("warn", errors)) if errors else tuple(blocks)


def _none(result: JobList, door: str) -> str:
    if not result.words:
        return f"no jobs; start one with {door} train SCRIPT.py"
    words = shortened(shlex.join(result.words), 120)
    return f"no job has {words}; {door} jobs lists all; state: platform: since: narrow by a field"


def artifacts(result: ArtifactList, door: str) -> tuple[Block, ...]:
    total = f"{count(len(result.files), 'file')}, {size(sum(one.bytes for one in result.files))}"
    narrowed = f" {shlex.quote(result.glob)}" if result.glob else ""
    fetch = f"fetch with {door} artifacts {result.job.number}{narrowed} --to DIR"
    done = f"written to {result.to}" if result.to else fetch
    heading = Heading("✓" if result.to else "≡", "good" if result.to else "live", f"files of {result.job.name}", total)
    rows = tuple((Cell(one.path), Cell(_came(one))) for one in result.files[:MOST_ROWS])
    lost = sum(1 for one in result.files if not one.has_arrived)
    rest = len(result.files) - MOST_ROWS
    more = (f"and {count(rest, 'more file')}: narrow with a GLOB",) if rest > 0 else ()
    if not rows:
        return heading, Notes("dim", ("no files there (yet)",))
    table = heading, Table(("file", "size>"), rows), Notes("dim", (*more, done))
    if not lost:
        return table
    return *table, Notes("warn", (f"{count(lost, 'file')} lost with the machine: written, and not copied in time",))


def _came(one: Artifact) -> str:
    return size(one.bytes) if one.has_arrived else f"{size(one.bytes)}, has not arrived"


def checks(result: DoctorReport | SetupReport, door: str) -> tuple[Block, ...]:
    """Every check with what mends it, as it is typed where it is read."""
    tone: Tone = "good" if result.is_ok else "bad"
    word = "✓ ready" if result.is_ok else "✗ not ready"
    rows = tuple(row for check in result.checks for row in _check_rows(check, door))
    heading = Heading(word, tone, result.title or "doctor")
    return (heading, Table(("", "check", "what"), rows)) if rows else (heading,)


def setup(result: SetupReport, door: str) -> tuple[Block, ...]:
    """The checks, then what would be or was made and written, and the line that goes on."""
    facts = [_written(*one) for one in result.written]
    if not result.written:
        facts = [fact for one in result.wanted for fact in _wanted(one)]
        facts += [Fact("could be set", f"{one.key} = {one.value}: {one.why}") for one in result.offered]
    facts += [fact for what, removal in result.stays for fact in (Fact("stays", what), Fact("remove with", removal))]
    if result.next:
        facts.append(Fact("next", _typed(result.next, door)))
    return (*checks(result, door), Facts(tuple(facts))) if facts else checks(result, door)


def _wanted(one: Proposal) -> Iterator[Fact]:
    if one.creates:
        yield Fact("would make", one.creates)
    yield Fact("would write", f"{one.key} = {one.value}: {one.why}")


def _written(key: str, value: str, file: str) -> Fact:
    return Fact("setting", f"{key} = {value}, in {file}" if value else f"{key}, taken out of {file}")


def settings(result: SettingTable) -> Table:
    return Table(("setting", "value", "from", "what it does"), tuple(_setting_row(row) for row in result.rows))


def _without_empty(columns: tuple[str, ...], rows: tuple[tuple[Cell, ...], ...]) -> Table:
    """The table without the columns that say nothing in any row."""
    kept = [at for at in range(len(columns)) if any(row[at].text for row in rows)]
    return Table(tuple(columns[at] for at in kept), tuple(tuple(row[at] for at in kept) for row in rows))


def _job_row(job: Job, now: datetime) -> tuple[Cell, ...]:
    look = look_of(job.state)
    gpus = f"{job.accelerator_count} {TIMES} {job.accelerator}" if job.accelerator else job.machine_type or ""
    return (
        Cell(str(job.number), "dim"),
        Cell(badge(job) + _cause(job), look.tone),
        Cell(shortened(job.name, 60), "strong"),
        Cell(f"{job.platform} {gpus}".strip()),
        Cell(age(job.created_at, now), "dim"),
        Cell(_took(job, now)),
        Cell(_cost(job, now)),
        Cell(_last_values(job)),
    )


def _cause(job: Job) -> str:
    return _why(job) + (" (deleted there)" if job.is_deleted else "")


def _why(job: Job) -> str:
    if job.end_reason in (None, EndReason.USER):
        return ""
    if job.end_reason == EndReason.EXIT_CODE:
        return "" if job.exit_code is None else f" (exit code {job.exit_code})"
    return f" ({CAUSES[job.end_reason]})"


def _took(job: Job, now: datetime) -> str:
    if job.duration_s is not None:
        return duration(job.duration_s)
    if job.started_at is None or job.is_final:
        return ""
    return f"{duration((now - job.started_at).total_seconds())}…"


def _cost(job: Job, now: datetime) -> str:
    if job.cost_usd:
        return usd(job.cost_usd)
    so_far = spent_usd(job, now)
    return f"{usd(so_far)}…" if so_far else ""


def _last_values(job: Job) -> str:
    values = [f"{shortened(name, 24)} {figure(float(value))}" for name, value in list(job.metrics.items())[:3]]
    return " · ".join(values)


def _error_words(error: dict[str, str]) -> str:
    parts = [error.get("platform", ""), error.get("what", ""), error.get("why", "")]
    fix = f" (fix: {error['fix']})" if error.get("fix") else ""
    return ": ".join(part for part in parts if part) + fix


def _typed(line: str, door: str) -> str:
    return door + line.removeprefix("ipymlops") if line.startswith("ipymlops ") else line


def _check_rows(check: Check, door: str) -> Iterator[tuple[Cell, ...]]:
    word, tone = CHECK_LOOKS[check.status]
    why = f": {check.why}" if check.why else ""
    yield Cell(word, tone), Cell(check.id, "dim"), Cell(check.what + why)
    if check.fix:
        yield Cell(""), Cell("fix", "dim"), Cell(_typed(check.fix, door), "code")


def _setting_row(row: SettingRow) -> tuple[Cell, ...]:
    value = Cell("not set", "dim") if row.value is None else Cell(row.value, "strong")
    source = Cell("" if row.value is None and row.source == "default" else row.source, "dim")
    return Cell(row.key), value, source, Cell(row.help, "dim")
