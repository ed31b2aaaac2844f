"""The card of a job: made once from what is known, then rendered as text and as HTML."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ipymlops.display import sent
from ipymlops.display.blocks import Block, Cell, Fact, Facts, Heading, Lines, Notes, Step, Steps, View
from ipymlops.display.looks import CAUSES, Tone, badge, look_of
from ipymlops.display.plain import log_text, shortened
from ipymlops.job import EndReason, Job, JobState
from ipymlops.spec import Intent, Plan
from ipymlops.units import age, clock_time, duration, figure, moment, usd

TRACEBACK_LINES = 12
METRICS = 12


@dataclass(frozen=True)
class Card:
    """What the card of one job is made from.

    Attributes:
        now: Ages are counted to here.
        hints: Sentences that belong to this submit.
        tail: The last lines of the log, raw.
        door: How commands are called where the card is read: `%mlops` or `ipymlops`.
        read_back: What runs there as its platform tells, where there is no intent.
        is_ticking: Ages are brought up to date while they grow; else they are left out, as they would soon be wrong.
    """

    job: Job
    now: datetime
    intent: Intent | None = None
    hints: tuple[str, ...] = ()
    tail: tuple[bytes, ...] = ()
    last_output_at: datetime | None = None
    door: str = "ipymlops"
    is_ticking: bool = True
    read_back: Plan | None = None

    def view(self) -> View:
        return self.detailed(())

    def detailed(self, rows: tuple[Fact, ...]) -> View:
        """The whole card, with these facts after its own. What changes while a job lives moves nothing above it."""
        warnings, notes = self._notes()
        head = (self._heading(), self._steps(), *self._failure(), *warnings)
        return View((*head, self._facts(rows), *notes, *self._traceback(), *self._tail()), self._tone())

    def outcome(self) -> View:
        """Only what a final state adds to a card that was shown before."""
        rows = (*_metrics(self.job), *_kept(self.job, self.now, self.door))
        facts = [Facts(rows)] if rows else []
        blocks = (self._heading(), self._steps(), *self._failure(), *facts, *self._traceback())
        return View(blocks, self._tone())

    def _tone(self) -> Tone:
        return look_of(self.job.state).tone

    def _heading(self) -> Heading:
        return Heading(badge(self.job), self._tone(), self.job.name or str(self.job.id), _aside(self.job))

    def _steps(self) -> Steps:
        return Steps(tuple(_steps(self.job, self._ages_to())))

    def _facts(self, more: tuple[Fact, ...]) -> Facts:
        now = self._ages_to()
        rows = [*sent.facts(self.job, self.intent, now, self.read_back), *_progress(self.job, now, self.last_output_at)]
        return Facts((*rows, *_kept(self.job, self.now, self.door), *more))

    def _ages_to(self) -> datetime | None:
        return self.now if self.is_ticking else None

    def _failure(self) -> list[Block]:
        return [failure(self.job, self.door)] if self._is_bad() else []

    def _traceback(self) -> list[Block]:
        return traceback(self.job, in_log=self.tail) if self._is_bad() else []

    def _is_bad(self) -> bool:
        return bool(self.job.error) or self.job.state == JobState.FAILED or self.job.end_reason == EndReason.TIMEOUT

    def _notes(self) -> tuple[list[Block], list[Block]]:
        """What asks for attention, and what only explains."""
        code = self.intent.code.warnings if self.intent and self.intent.code else ()
        plan = self.intent.plan if self.intent else self.read_back
        warnings, notes = (*self.hints, *code), plan.notes if plan else ()
        return [Notes("warn", warnings)] if warnings else [], [Notes("dim", notes)] if notes else []

    def _tail(self) -> list[Block]:
        lines = tuple(Cell(log_text(line)) for line in self.tail)
        more = f"all of it: {self.door} logs {self.job.number}"
        return [Lines(f"last lines of the log ({more})", lines)] if lines else []


def failure(job: Job, door: str) -> Notes:
    """Cause, exit code, place in the user's own file, next step."""
    error: Mapping[str, Any] = job.error or {}
    sentences = [_cause(job, error), *_place(error), *_why(error), f"next: {_next_step(job, error, door)}"]
    return Notes("bad" if job.state == JobState.FAILED else "warn", tuple(sentences))


def traceback(job: Job, *, in_log: tuple[bytes, ...] = ()) -> list[Block]:
    """The end of the traceback, if the lines of the log do not show it already."""
    lines = str((job.error or {}).get("traceback") or "").rstrip().splitlines()[-TRACEBACK_LINES:]
    is_in_log = bool(lines) and any(lines[-1] in log_text(line) for line in in_log)
    return [Lines("end of the traceback", tuple(Cell(line) for line in lines))] if lines and not is_in_log else []


def _cause(job: Job, error: Mapping[str, Any]) -> str:
    """The cause in our words and the error in its own, where these do not say the same."""
    what = str(error.get("what") or "")
    is_said = bool(what) and job.end_reason == EndReason.EXIT_CODE
    cause = CAUSES[job.end_reason] if job.end_reason and not is_said else ""
    unknown = "the cause is unknown" if job.is_final else "not yet started"
    parts = [part for part in (cause, what) if part] or [unknown]
    return ": ".join(dict.fromkeys(parts)) + _exit_words(job.exit_code, what)


def _exit_words(exit_code: int | None, said: str) -> str:
    if exit_code is None or f"exit code {exit_code}" in said:
        return ""
    names = {128 + one.value: one.name for one in signal.Signals}
    return f" (exit code {exit_code}{', ' + names[exit_code] if exit_code in names else ''})"


def _place(error: Mapping[str, Any]) -> list[str]:
    if not error.get("file"):
        return []
    line = f", line {error['line']}" if error.get("line") else ""
    return [f"in {error['file']}{line}"]


def _why(error: Mapping[str, Any]) -> list[str]:
    """The reason, unless it only names the place again."""
    why, file = str(error.get("why") or ""), error.get("file")
    return [why] if why and not (file and str(file) in why) else []


def _next_step(job: Job, error: Mapping[str, Any], door: str) -> str:
    if error.get("fix"):
        return _as_typed_there(str(error["fix"]), job, door)
    if job.end_reason == EndReason.TIMEOUT:
        return "give it more time with --max-runtime; checkpoints that were saved are kept"
    if job.end_reason == EndReason.OUT_OF_MEMORY:
        return f"use less memory (a smaller batch), or a larger machine; {door} logs {job.number} --tail 50"
    return f"{door} logs {job.number} --tail 50"


def _as_typed_there(fix: str, job: Job, door: str) -> str:
    """A fix written by a launcher or a platform, with the job's short number and the reader's own door."""
    words = fix.replace(str(job.id), str(job.number)) if job.number else fix
    return f"{door} {words.removeprefix('ipymlops ')}" if words.startswith("ipymlops ") else words


def _aside(job: Job) -> str:
    number = [f"#{job.number}"] if job.number else []
    detail = [shortened(job.detail, 160)] if job.detail and not _is_told(job) else []
    return " · ".join([*number, f"on {job.platform}", *detail])


def _is_told(job: Job) -> bool:
    """Whether the rest of the card says what the platform's word says."""
    is_by_user = job.is_final and job.end_reason == EndReason.USER
    return is_by_user or job.detail.casefold() in {job.state.value, f"exit code {job.exit_code}"}


def _steps(job: Job, now: datetime | None) -> list[Step]:
    steps = [Step("submitted", moment(job.created_at))]
    last = job.created_at
    if job.started_at:
        steps.append(Step("started", clock_time(job.started_at, last), _gap(last, job.started_at)))
        last = job.started_at
    tone = look_of(job.state).tone
    if job.ended_at:
        return [*steps, Step(job.state.value, clock_time(job.ended_at, last), _gap(last, job.ended_at), tone)]
    if job.is_final:
        return [*steps, Step(job.state.value, "", "", tone)]
    return [*steps, Step(job.state.value, "", f"{_gap(last, now)} so far" if now else "", tone)]


def _gap(before: datetime, after: datetime) -> str:
    return duration((after - before).total_seconds())


def _progress(job: Job, now: datetime | None, last_output_at: datetime | None) -> list[Fact]:
    rows = list(_metrics(job))
    if last_output_at and now and not job.is_final:
        rows.append(Fact("Output", f"last output {age(last_output_at, now)}"))
    if job.cost_usd is not None and job.usd_per_hour:
        rows.append(Fact("Cost", usd(job.cost_usd)))
    if job.url:
        rows.append(Fact("Console", job.url, url=job.url))
    return rows


def _kept(job: Job, now: datetime, door: str) -> list[Fact]:
    """A machine that is paid for although its job has ended, until then at most."""
    if job.kept_until is None or job.kept_until <= now:
        return []
    paid = "" if job.usd_per_hour is None else f" at {usd(job.usd_per_hour)} an hour"
    until = clock_time(job.kept_until, job.ended_at)
    return [Fact("Kept", f"its machine, for the next job, until {until}{paid}: {door} stop {job.number} lets it go")]


def _metrics(job: Job) -> list[Fact]:
    if not job.metrics:
        return []
    shown = [f"{shortened(name, 60)} {figure(float(value))}" for name, value in list(job.metrics.items())[:METRICS]]
    more = [f"and {len(job.metrics) - METRICS} more"] if len(job.metrics) > METRICS else []
    return [Fact("Metrics", " · ".join([*shown, *more]), tone="strong")]
