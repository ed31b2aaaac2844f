"""From an intent to a recorded job on its way. The record comes first: what follows may be killed at any point."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, replace
from functools import partial

from ipymlops.context import Context
from ipymlops.control.dispatch import forget, lock_of, send, write_origin
from ipymlops.control.lock import FileLock
from ipymlops.control.reconcile import sent_again
from ipymlops.errors import IpymlopsError, StoreProblem
from ipymlops.job import EndReason, Job, new_job_id
from ipymlops.spec import Intent


@dataclass(frozen=True)
class Submitted:
    """The recorded job; `is_new` is false where an identical one is still live and we came back to it."""

    job: Job
    is_new: bool


def submit(context: Context, intent: Intent, *, stem: str, again: bool = False) -> Submitted:
    """Record the job and send it on its way; returns at once, before the code is packed.

    Args:
        stem: Makes the name where the spec has none.
        again: Start another one even where an identical job is live.

    Raises: `IpymlopsError` where nothing could be recorded or sent; the job, if there is one, has then ended.
    """
    asked = job_of(context, intent)
    write_origin(context, asked.id)
    with lock_of(context.home, asked.id) as lock:
        lock.take()  # before it is recorded: another session that sees it must not send it with its own environment
        try:
            job, is_new = context.store.add(asked, intent, stem=stem, again=again)
        except StoreProblem:
            forget(context.home, asked.id)
            raise
        if is_new:
            _on_its_way(context, job, intent, lock)
            return Submitted(job, is_new)
        forget(context.home, asked.id)
    if job.ref is None:
        sent_again(context, job)
    return Submitted(job, is_new)


def job_of(context: Context, intent: Intent) -> Job:
    """The record of a job that nobody has started yet."""
    spec, plan, code = intent.spec, intent.plan, intent.code
    tree = code.tree if code else None
    return Job(
        id=new_job_id(),
        name=spec.name,
        platform=plan.platform,
        created_at=context.clock.now(),
        script=spec.script,
        argv=spec.argv,
        machine_type=plan.machine_type,
        accelerator=plan.accelerator,
        accelerator_count=plan.accelerator_count,
        nodes=plan.nodes,
        usd_per_hour=plan.usd_per_hour,
        commit=code.commit if code else None,
        tree=tree,
        dirty=code.dirty if code else None,
        branch=code.branch if code else None,
        user=_user(context),
        labels=dict(spec.labels),
        fingerprint=spec.fingerprint(plan.platform, tree or ""),
        max_runtime_s=plan.max_runtime_s,
    )


def _on_its_way(context: Context, job: Job, intent: Intent, lock: FileLock) -> None:
    try:
        if intent.code is not None:
            from ipymlops.source import keep

            keep(intent.code, job.id)
        send(context, job.id, lock)
    except IpymlopsError as problem:
        context.store.update(job.id, partial(_never_sent, context, problem))
        raise


def _never_sent(context: Context, problem: IpymlopsError, job: Job) -> Job:
    reason = EndReason.PLATFORM_ERROR
    now = context.clock.now()
    return replace(job, state=reason.state, end_reason=reason, ended_at=now, error=problem.to_json())


def _user(context: Context) -> str | None:
    named = context.env.get("LOGNAME") or context.env.get("USER")
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user id without a name
        return None
