"""What a job was made from, as facts of its card: command, code, what was left out, where, price and cap."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import datetime

from ipymlops.display.blocks import Fact
from ipymlops.display.plain import shortened
from ipymlops.job import Job
from ipymlops.spec import DEFAULT_MAX_RUNTIME_S, Intent, LeftOut, Plan, Snapshot
from ipymlops.units import count, duration, size, usd

COMMAND_LENGTH, COMMAND_WORDS = 600, 200
TIMES = "\u00d7"
NAMED = 3
LISTED = 20


def facts(job: Job, intent: Intent | None, now: datetime | None, read_back: Plan | None = None) -> Iterator[Fact]:
    """The facts of a job, what is known of them; what was spent up to `now`. `read_back` stands for a missing plan."""
    if job.script or job.argv:
        yield command(job.script, job.argv)
    if intent and intent.code:
        yield from code(intent.code, intent.to_send_bytes)
    elif job.commit:
        yield Fact("Code", _commit(job.commit, job.branch) + (", with uncommitted changes" if job.dirty else ""))
    plan = read_back if read_back and not intent else _plan_of(job, intent)
    yield from where(plan)
    yield price(plan, _spent(job, now) if now else "")


def command(script: str | None, argv: tuple[str, ...]) -> Fact:
    """The script and its words as a shell would read them; thousands of words are counted, not shown."""
    words = (*([script] if script and not script.startswith("-m ") else []), *argv[:COMMAND_WORDS])
    start = f"{script} " if script and script.startswith("-m ") else ""
    text = shortened((start + shlex.join(words)).rstrip(), COMMAND_LENGTH)
    is_cut = len(argv) > COMMAND_WORDS or text.endswith("…")
    return Fact("Command", text + (f" ({count(len(argv), 'argument')} in all)" if is_cut else ""), tone="code")


def code(snapshot: Snapshot, to_send_bytes: int | None, *, is_plan: bool = False) -> Iterator[Fact]:
    """What the snapshot holds and what it does not, and how much of it had to be sent (None: not known)."""
    yield Fact("Code", _code_words(snapshot), more=_listed(snapshot.changed) if len(snapshot.changed) > NAMED else ())
    label = "To send" if is_plan else "Sent"
    if to_send_bytes == 0:
        again = "" if is_plan else " again"
        yield Fact(label, f"nothing{again}: the platform has this code already ({_amount(snapshot)})")
    else:
        part = "" if to_send_bytes in {None, snapshot.bytes} else f"{size(to_send_bytes or 0)} of "
        words = f"{part}{_amount(snapshot)}{_since_words(snapshot)}"
        more = _listed(snapshot.since_last) if len(snapshot.since_last) > NAMED else ()
        yield Fact(label, words, more=more)
    if snapshot.left_out:
        yield left_out(snapshot.left_out)


def left_out(rows: tuple[LeftOut, ...]) -> Fact:
    """What stayed behind, the biggest first, each with the rule that left it out."""
    biggest = sorted(rows, key=lambda one: -one.bytes)
    if len(rows) == 1:
        return Fact("Left out", _left_out_words(rows[0]))
    named = "; ".join(_left_out_words(one) for one in biggest[:NAMED])
    more = _listed(tuple(_left_out_words(one) for one in biggest)) if len(rows) > NAMED else ()
    total = size(sum(one.bytes for one in rows))
    return Fact("Left out", f"{count(len(rows), 'path')}, {total}: {named}", more=more)


def where(plan: Plan) -> Iterator[Fact]:
    """The machine, where there is more to say than the platform's name, which the heading says."""
    gpus = f"{plan.accelerator_count} {TIMES} {plan.accelerator}" if plan.accelerator else ""
    if plan.accelerator and 0 < plan.asked_count < plan.accelerator_count:
        gpus += f" ({plan.asked_count} asked for)"
    nodes = count(plan.nodes, "node") if plan.nodes > 1 else ""
    image = f"image {plan.image}" if plan.image else ""
    parts = [part for part in (plan.machine_type, gpus, nodes, image) if part]
    if parts:
        yield Fact("Where", " · ".join([plan.platform, *parts]))


def price(plan: Plan, spent: str = "") -> Fact:
    """Price per hour and the most it can cost; where no price is known, the most time it can take."""
    time = duration(plan.max_runtime_s)
    if plan.usd_per_hour is None:
        cap = f"at most {time}" + (f" and {usd(plan.max_cost_usd)}" if plan.max_cost_usd is not None else "")
        return Fact("Limit", cap)
    if plan.usd_per_hour == 0:
        return Fact("Price", f"free · at most {time}")
    most = plan.usd_per_hour * plan.max_runtime_s / 3600
    if plan.max_cost_usd is not None:
        most = min(most, plan.max_cost_usd)
    dated = f" (price of {plan.price_as_of})" if plan.price_as_of else ""
    cap = f"at most {usd(most)} ({time})"
    if plan.is_estimate:
        cap = f"at most about {usd(most)} ({time}): the price is an estimate"
    return Fact("Price", f"{usd(plan.usd_per_hour)} per hour{dated} · {cap}{spent}", tone="strong")


def _spent(job: Job, now: datetime) -> str:
    so_far = spent_usd(job, now)
    return f" · {usd(so_far)} so far" if so_far is not None else ""


def spent_usd(job: Job, now: datetime) -> float | None:
    """What a job that runs has cost up to now; None where that is not known, or it does not run."""
    if job.is_over or not job.usd_per_hour or not job.started_at:
        return None
    return job.usd_per_hour * max(0.0, (now - job.started_at).total_seconds()) / 3600


def _plan_of(job: Job, intent: Intent | None) -> Plan:
    if intent:
        return intent.plan
    return Plan(
        job.platform,
        machine_type=job.machine_type,
        accelerator=job.accelerator,
        accelerator_count=job.accelerator_count,
        nodes=job.nodes,
        usd_per_hour=job.usd_per_hour,
        max_runtime_s=job.max_runtime_s or DEFAULT_MAX_RUNTIME_S,
    )


def _code_words(snapshot: Snapshot) -> str:
    if snapshot.commit is None:
        return "no commit yet" if snapshot.snapshot_commit else f"{snapshot.root}, which is no git repository"
    base = _commit(snapshot.commit, snapshot.branch)
    if not snapshot.changed:
        return base + (", with uncommitted changes" if snapshot.dirty else ", nothing changed since")
    return f"{base} + {_changed_words(snapshot.changed)}"


def _amount(snapshot: Snapshot) -> str:
    return f"{count(snapshot.files, 'file')}, {size(snapshot.bytes)}"


def _since_words(snapshot: Snapshot) -> str:
    if not snapshot.last_job:
        return ""
    changed = _changed_words(snapshot.since_last) if snapshot.since_last else "nothing changed"
    return f"; since {shortened(snapshot.last_job, 120)} {changed}"


def _changed_words(paths: tuple[str, ...]) -> str:
    rest = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return f"{count(len(paths), 'file')} changed: {', '.join(paths[:NAMED])}{rest}"


def _commit(commit: str, branch: str | None) -> str:
    return f"{commit[:7]} on {branch}" if branch else f"{commit[:7]} (detached)"


def _left_out_words(one: LeftOut) -> str:
    """The path, its size, and the rule: only where that stands, if it is the path itself."""
    rule = one.rule.removesuffix(f": {one.path}")
    return f"{shortened(one.path, 120)} {size(one.bytes)} ({shortened(rule, 120)})"


def _listed(rows: tuple[str, ...]) -> tuple[str, ...]:
    more = (f"and {len(rows) - LISTED} more",) if len(rows) > LISTED else ()
    return (*rows[:LISTED], *more)
