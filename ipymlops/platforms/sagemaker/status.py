"""How a training job stands: what SageMaker says, and for one with our launcher what that left."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable
from ipymlops.job import EndReason, JobState, JobStatus
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.failures import ended_while_delivering, failure_of, ran_nothing
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import billed_s, described, in_touch, kept_until, metrics_of, url_of, utc
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.results import Result, live_metrics, result_of
from ipymlops.platforms.sagemaker.states import detail_of, end_reason_of, exit_code_of, state_of

GONE = JobStatus(JobState.UNKNOWN, detail="SageMaker no longer knows it", is_gone=True)
TERMINATED = 128 + signal.SIGTERM


def status_of(aws: Aws, reference: Reference) -> JobStatus:
    with in_touch(aws):
        told = described(aws, reference)
        if told is None:
            return GONE
        status, outputs = _native(aws, reference, told), Outputs(aws, reference, told)
        if not outputs.has_launcher:
            return status
        if status.state.is_final:
            return _with_results(outputs, status)
        return replace(status, metrics=_so_far(outputs)) if status.state is JobState.RUNNING else status


def _native(aws: Aws, reference: Reference, told: Mapping[str, Any]) -> JobStatus:
    state = state_of(told)
    return JobStatus(
        state,
        detail_of(told),
        end_reason=end_reason_of(told),
        exit_code=exit_code_of(told),
        started_at=utc(told.get("TrainingStartTime")),
        ended_at=_ended_at(told) if state.is_final else None,
        error=failure_of(aws, told) if state is JobState.FAILED else None,
        metrics=metrics_of(told),
        url=url_of(reference),
        billed_s=billed_s(told),
        kept_until=kept_until(told),
    )


def _ended_at(told: Mapping[str, Any]) -> datetime | None:
    return utc(told.get("TrainingEndTime") or told.get("LastModifiedTime"))


def _so_far(outputs: Outputs) -> Mapping[str, float]:
    """Metrics are no reason to say nothing of the job."""
    try:
        return live_metrics(outputs)
    except NotSignedIn:
        raise
    except PlatformProblem:
        return {}


def _with_results(outputs: Outputs, status: JobStatus) -> JobStatus:
    """The end as the launchers tell it; it is read once, as nothing changes after it."""
    if status.started_at is None:
        return status  # no machine, so no launcher
    try:
        results = {rank: result_of(outputs, rank) for rank in range(outputs.nodes)}
    except (Unreachable, NotSignedIn):
        raise  # asked again
    except PlatformProblem as problem:
        return _unread(status, problem)
    told = {rank: result for rank, result in results.items() if result}
    status = replace(status, metrics={**status.metrics, **_metrics(told)})
    rank = _first_failed(told)
    if status.state is JobState.STOPPED:
        code = told[rank or 0].exit_code if (rank or 0) in told else None
        return replace(status, exit_code=code)
    if rank is not None:
        return _failed(status, told[rank], f"node {rank}: " if outputs.nodes > 1 else "")
    if len(told) < outputs.nodes:
        return _without_result(outputs, status)
    return status if status.state is JobState.SUCCEEDED else _undelivered(outputs, status)


def _unread(status: JobStatus, problem: PlatformProblem) -> JobStatus:
    """SageMaker's word for a bad end is enough; for a good one it is not: the container may have run nothing."""
    if status.state is not JobState.SUCCEEDED:
        return status
    what = f"whether the script succeeded cannot be read: {problem.what}"
    detail = f"{status.detail}, but its result cannot be read"
    error = {**problem.to_json(), "what": what}
    return replace(status, state=JobState.UNKNOWN, detail=detail, exit_code=None, error=error)


def _without_result(outputs: Outputs, status: JobStatus) -> JobStatus:
    if status.state is not JobState.SUCCEEDED:
        return status
    reason = EndReason.PLATFORM_ERROR
    return replace(status, state=reason.state, end_reason=reason, exit_code=None, error=ran_nothing(outputs.told))


def _undelivered(outputs: Outputs, status: JobStatus) -> JobStatus:
    """Every script ended well, and SageMaker calls the job failed."""
    error = ended_while_delivering(outputs.told)
    return replace(status, end_reason=EndReason.PLATFORM_ERROR, exit_code=0, error=error)


def _first_failed(results: Mapping[int, Result]) -> int | None:
    """The node that failed by itself, before the others were ended for it."""
    failed = [rank for rank, one in results.items() if one.exit_code or one.end_reason]
    by_itself = [rank for rank in failed if not _was_told(results[rank])]
    return min(by_itself or failed, key=lambda rank: results[rank].ended_at, default=None)


def _was_told(result: Result) -> bool:
    """Ended from outside, which its own time limit is not."""
    is_signal = result.exit_code == TERMINATED or result.signal == signal.SIGTERM
    return is_signal and result.end_reason is not EndReason.TIMEOUT


def _failed(status: JobStatus, result: Result, node: str) -> JobStatus:
    """As the launcher tells it, who knows more than the exit code."""
    reason = result.end_reason or EndReason.EXIT_CODE
    error = result.error or (None if reason is EndReason.USER else status.error)
    by_signal = f": {error['what']}" if error and result.signal and reason.state is JobState.FAILED else ""
    return replace(
        status,
        state=reason.state,
        detail=f"{node}{status.detail}{by_signal}",
        end_reason=reason,
        exit_code=result.exit_code,
        error=error,
    )


def _metrics(results: Mapping[int, Result]) -> dict[str, float]:
    found: dict[str, float] = {}
    for rank in sorted(results, reverse=True):  # rank 0 has the last word
        found |= results[rank].metrics
    return found
