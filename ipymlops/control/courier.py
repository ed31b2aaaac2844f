"""The courier: takes one recorded job to its platform. `python -m ipymlops.control.courier HOME JOB_ID LOCK`.

It may be killed at any point and sent again: what it does is written down before and after, and `Platform.submit` is
idempotent in the job's id. The order is: pack, claim (the job is `starting`: from here on it may exist over there),
submit, record the reference.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import starmap
from pathlib import Path

from ipymlops.context import Context
from ipymlops.control.dispatch import forget, lock_of, origin_of
from ipymlops.control.lock import FileLock
from ipymlops.control.tidy import tidy
from ipymlops.control.wording import called, line
from ipymlops.errors import (
    IpymlopsError,
    OutOfCapacity,
    PlatformProblem,
    QuotaExceeded,
    StoreProblem,
    Unreachable,
)
from ipymlops.job import EndReason, Job, JobState
from ipymlops.opening import NoScreen, open_context
from ipymlops.spec import CodeArchive, Intent, JobId, PlatformRef

PAUSES_S = (2, 5, 10)
"""Before the platform is asked again that did not answer, or asked to go slower."""
UNANSWERED = (Unreachable, ConnectionError, TimeoutError)


def main(words: Sequence[str]) -> int:
    """Words: the home, the job's id, and the descriptor of its lock, which whoever started us has taken."""
    home, job_id = Path(words[0]), JobId(words[1])
    lock = FileLock.inherited(lock_of(home, job_id).path, int(words[2]))
    origin = origin_of(home, job_id)
    folder = Path(origin.folder) if origin and Path(origin.folder).is_dir() else home
    context = open_context(folder, os.environ, sys.executable, NoScreen(), home=home)
    job = insist(context, job_id, lock)
    if job.ref is not None:
        tidy(context, job)
    context.store.close()
    return 0


def insist(context: Context, job_id: JobId, lock: FileLock | None = None) -> Job:
    """`carry`, again after pauses while nothing is known of the job; then it is left to whoever looks next."""
    job = carry(context, job_id, lock)
    for pause_s in PAUSES_S:
        if job.is_final or job.ref is not None or job.state is JobState.QUEUED:
            break
        context.clock.sleep(pause_s)
        job = carry(context, job_id)
    return job


def carry(context: Context, job_id: JobId, lock: FileLock | None = None) -> Job:
    """Take the job to its platform, unless another courier is at it, or there is nothing left to do."""
    with lock or lock_of(context.home, job_id) as held:
        if not held.take():
            return context.store.get(job_id)
        job = context.store.get(job_id)
        if not job.is_final and job.ref is None:
            job = _delivered(context, job)
        if job.is_final or job.ref is not None:
            forget(context.home, job_id)
        return job


def _delivered(context: Context, job: Job) -> Job:
    try:
        ref = _found(context, job) if job.state is JobState.STOPPING else _submitted(context, job)
    except Exception as problem:  # noqa: BLE001 - whatever it was, it is recorded with the job
        return _without_answer(context, job, problem)
    if ref is not None:
        return _accepted(context, job, ref)
    return context.store.update(job.id, partial(_not_started, context))


def _without_answer(context: Context, job: Job, problem: Exception) -> Job:
    """Believe a refusal, unless the job may run all the same: then only the platform, asked for it, can tell."""
    if _may_be_there(job, problem):
        try:
            ref = _found(context, job)
        except Exception as unseen:  # noqa: BLE001 - it is recorded with the job
            return context.store.update(job.id, partial(_perhaps_there, unseen))
        if ref is not None:
            return _accepted(context, job, ref)
    return context.store.update(job.id, partial(_refused, context, problem))


def _may_be_there(job: Job, problem: Exception) -> bool:
    """An earlier courier has claimed it, or this one broke off in the middle."""
    if isinstance(problem, UNANSWERED):
        return False  # asked again in any case
    return job.state is not JobState.QUEUED or not isinstance(problem, IpymlopsError)


def _found(context: Context, job: Job) -> PlatformRef | None:
    intent = _intent(context, job)
    return context.platforms[job.platform].find(job.id, job.name, intent.spec, intent.plan)


def _submitted(context: Context, job: Job) -> PlatformRef | None:
    """The platform's reference; None if the job was stopped before it was sent."""
    intent = _intent(context, job)
    if job.state is JobState.QUEUED:  # once claimed it may exist over there, and needs nothing to be found again
        _need_secrets(context, job, intent)
    code = _packed(context, intent)
    if context.store.update(job.id, _claimed).is_final:
        return None
    return context.platforms[job.platform].submit(job.id, job.name, intent.spec, code, intent.plan)


def _intent(context: Context, job: Job) -> Intent:
    intent = context.store.intent(job.id)
    if intent is None:
        raise StoreProblem(f"{called(job)} was recorded without what to run", fix=line("stop", job.number))
    return intent


def _need_secrets(context: Context, job: Job, intent: Intent) -> None:
    """A secret that lives in the caller's environment is not here if another session sends the job."""
    needed = [variable for variable in starmap(_variable, intent.spec.secrets) if variable]
    missing = [variable for variable in needed if variable not in context.env]
    if missing:
        raise IpymlopsError(
            f"{called(job)} was not started: {', '.join(missing)} is not set in this session",
            why="the session that asked for the job is gone, and secrets are never written down",
            fix=f"set {missing[0]} and run the line again",
        )


def _variable(name: str, reference: str) -> str:
    """The variable that holds a secret, "" where it is kept elsewhere."""
    kind, _, variable = reference.partition(":")
    return name if reference in {"", name} else variable if kind == "env" else ""


def _packed(context: Context, intent: Intent) -> CodeArchive | None:
    if intent.code is None:
        return None
    from ipymlops.source import pack

    return pack(intent.code, context.home / "code")


def _claimed(job: Job) -> Job:
    return replace(job, state=JobState.STARTING) if job.state is JobState.QUEUED else job


def _accepted(context: Context, job: Job, ref: PlatformRef) -> Job:
    job = context.store.update(job.id, partial(_with_ref, ref))
    return _stopped(context, job, ref) if job.state is JobState.STOPPING else job


def _with_ref(ref: PlatformRef, job: Job) -> Job:
    detail = job.detail if job.state is JobState.STOPPING else ""
    return replace(job, ref=ref, detail=detail, error=None)


def _stopped(context: Context, job: Job, ref: PlatformRef) -> Job:
    """Pass on a stop that was asked for while the job was being sent; where that fails, the watch goes on asking."""
    try:
        context.platforms[job.platform].stop(ref)
    except PlatformProblem as problem:
        detail = f"could not be told to stop yet: {_sentence(problem)}"
        return context.store.update(job.id, lambda stored: replace(stored, detail=detail))
    return job


def _perhaps_there(problem: Exception, job: Job) -> Job:
    """It may have been started, and could not be asked for: nothing is known, so nothing ends."""
    return replace(job, detail=f"may have been started, asked for again: {_sentence(problem)}")


def _refused(context: Context, problem: Exception, job: Job) -> Job:
    """The job after a submit that failed: ended, or live where it will be tried again."""
    if isinstance(problem, UNANSWERED):
        return replace(job, detail=f"no answer from {job.platform}, asked again: {_sentence(problem)}")
    if job.state is JobState.STOPPING:
        return _not_started(context, job)
    if isinstance(problem, QuotaExceeded):
        return replace(job, state=JobState.QUEUED, detail=f"waits for quota: {_sentence(problem)}")
    reason = EndReason.OUT_OF_CAPACITY if isinstance(problem, OutOfCapacity) else EndReason.PLATFORM_ERROR
    return replace(_ended(context, job, reason, ""), error=_as_error(problem))


def _not_started(context: Context, job: Job) -> Job:
    return job if job.is_final else _ended(context, job, EndReason.USER, "stopped before it started")


def _ended(context: Context, job: Job, reason: EndReason, detail: str) -> Job:
    return replace(job, state=reason.state, end_reason=reason, detail=detail, ended_at=context.clock.now())


def _as_error(problem: Exception) -> dict[str, str]:
    if isinstance(problem, IpymlopsError):
        return problem.to_json()
    return {
        "what": "the job could not be sent, for a reason that we do not know",
        "why": f"{type(problem).__name__}: {problem}",
        "fix": "please report it with the traceback",
        "traceback": "".join(traceback.format_exception(problem)),
    }


def _sentence(problem: Exception) -> str:
    if not isinstance(problem, IpymlopsError):
        return f"{type(problem).__name__}: {problem}"
    return f"{problem.what} ({problem.why})" if problem.why else problem.what


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
