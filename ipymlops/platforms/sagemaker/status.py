"""How a training job stands: what SageMaker says, and for one with our launcher what that left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ipymlops.errors import NotSignedIn, PlatformProblem, Unreachable
from ipymlops.job import EndReason, JobState, JobStatus
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.failures import failure_of, ran_nothing
from ipymlops.platforms.sagemaker.outputs import Outputs
from ipymlops.platforms.sagemaker.reading import billed_s, described, metrics_of, url_of, utc
from ipymlops.platforms.sagemaker.reference import Reference
from ipymlops.platforms.sagemaker.results import live_metrics, result_of
from ipymlops.platforms.sagemaker.states import detail_of, end_reason_of, exit_code_of, state_of

GONE = JobStatus(JobState.UNKNOWN, detail="SageMaker no longer knows it", is_gone=True)
KILLED = 137
TERMINATED = 143


def status_of(aws: Aws, reference: Reference) -> JobStatus:
    told = described(aws, reference)
    if told is None:
        return GONE
    status = _native(aws, reference, told)
    outputs = Outputs(aws, reference, told)
    if not outputs.has_launcher:
        return status
    if status.state.is_final:
        return _with_results(outputs, status)
    if status.state is JobState.RUNNING:
        return replace(status, metrics=_metrics_so_far(outputs))
    return status


def _native(aws: Aws, reference: Reference, told: Mapping[str, Any]) -> JobStatus:
    state, reason, code = state_of(told), end_reason_of(told), exit_code_of(told)
    if reason is EndReason.EXIT_CODE and code == KILLED:
        reason = EndReason.OUT_OF_MEMORY
    return JobStatus(
        state,
        detail_of(told),
        end_reason=reason,
        exit_code=0 if state is JobState.SUCCEEDED else code,
        started_at=utc(told.get("TrainingStartTime")),
        ended_at=_ended_at(told) if state.is_final else None,
        error=failure_of(aws, told) if state is JobState.FAILED else None,
        metrics=metrics_of(told),
        url=url_of(reference),
        billed_s=billed_s(told),
    )


def _ended_at(told: Mapping[str, Any]) -> datetime | None:
    return utc(told.get("TrainingEndTime") or told.get("LastModifiedTime"))


def _metrics_so_far(outputs: Outputs) -> Mapping[str, float]:
    """They are no reason to say nothing of the job."""
    try:
        return live_metrics(outputs)
    except PlatformProblem:
        return {}


def _with_results(outputs: Outputs, status: JobStatus) -> JobStatus:
    """The end as the launchers tell it; it is read once, as nothing changes after it."""
    if status.end_reason is EndReason.OUT_OF_CAPACITY:
        return status
    try:
        results = {rank: result_of(outputs, rank) for rank in range(outputs.nodes)}
    except (Unreachable, NotSignedIn):
        raise  # asked again
    except PlatformProblem as problem:
        return _unread(status, problem)
    told = {rank: result for rank, result in results.items() if result}
    if not told:
        return _without_result(status)
    failed = _first_failed(told)
    rank = 0 if failed is None else failed
    return _merged(status, told.get(rank, {}), rank, told, nodes=outputs.nodes)


def _unread(status: JobStatus, problem: PlatformProblem) -> JobStatus:
    """SageMaker's word for a bad end is enough; for a good one it is not: the container may have run nothing."""
    if status.state is not JobState.SUCCEEDED:
        return status
    error = {**problem.to_json(), "what": f"whether the script succeeded cannot be read: {problem.what}"}
    return replace(status, state=JobState.UNKNOWN, exit_code=None, error=error)


def _without_result(status: JobStatus) -> JobStatus:
    if status.state is not JobState.SUCCEEDED:
        return status
    reason = EndReason.PLATFORM_ERROR
    return replace(status, state=reason.state, end_reason=reason, exit_code=None, error=ran_nothing())


def _first_failed(results: Mapping[int, Mapping[str, Any]]) -> int | None:
    """The node that failed by itself, before the others were ended for it."""
    failed = [rank for rank, one in results.items() if one.get("exit_code")]
    by_itself = [rank for rank in failed if results[rank].get("exit_code") != TERMINATED]
    return min(by_itself or failed, key=lambda rank: results[rank].get("ended_at", 0.0), default=None)


def _merged(
    status: JobStatus, result: Mapping[str, Any], rank: int, results: Mapping[int, Mapping[str, Any]], *, nodes: int
) -> JobStatus:
    values = {**status.metrics, **_metrics(results)}
    status = replace(status, metrics=values, exit_code=result.get("exit_code", status.exit_code))
    if status.state is JobState.STOPPED:
        return status
    word = result.get("end_reason")
    if not word:
        return _missing_nodes(status, results, nodes)
    reason = EndReason(word)
    detail = f"node {rank}: {status.detail}" if nodes > 1 else _detail(status, result)
    return replace(
        status, state=reason.state, end_reason=reason, detail=detail, error=result.get("error") or status.error
    )


def _missing_nodes(status: JobStatus, results: Mapping[int, Mapping[str, Any]], nodes: int) -> JobStatus:
    """A good end needs a good result of every node."""
    if status.state is JobState.SUCCEEDED and len(results) < nodes:
        return _without_result(status)
    return status


def _detail(status: JobStatus, result: Mapping[str, Any]) -> str:
    error = result.get("error") or {}
    return f"{status.detail}: {error['what']}" if error.get("what") and result.get("signal") else status.detail


def _metrics(results: Mapping[int, Mapping[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for rank in sorted(results, reverse=True):  # rank 0 has the last word
        found |= {name: float(value) for name, value in (results[rank].get("metrics") or {}).items()}
    return found
