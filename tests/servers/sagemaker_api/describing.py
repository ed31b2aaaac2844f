"""A job as DescribeTrainingJob, Search and ListTrainingJobs show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from tests.servers.sagemaker_api.model import service_model
from tests.servers.sagemaker_api.record import ENDS, TrainingJobRecord

_NOT_SHOWN = {"Tags", "SessionChainingConfig"}


def described(job: TrainingJobRecord) -> dict[str, Any]:
    """Everything but the tags."""
    with job.changed:
        shown = {**_echo(job), **_state(job)}
    return {name: value for name, value in shown.items() if name in _names() and value is not None}


def searched(job: TrainingJobRecord) -> dict[str, Any]:
    """As Search has it: with the tags."""
    return described(job) | {"Tags": [{"Key": key, "Value": value} for key, value in job.tags.items()]}


def row(job: TrainingJobRecord) -> dict[str, Any]:
    """As ListTrainingJobs has it: no parameters, machines or tags."""
    shown = {
        "TrainingJobName": job.name,
        "TrainingJobArn": job.arn,
        "CreationTime": job.created_at,
        "TrainingEndTime": job.training_ended_at,
        "LastModifiedTime": job.modified_at,
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary,
        "WarmPoolStatus": job.pool,
    }
    return {name: value for name, value in shown.items() if value is not None}


def as_of(job: TrainingJobRecord, then: float) -> TrainingJobRecord | None:
    """The job as it was at that time; None before its creation."""
    if job.modified_at <= then:
        return job
    with job.changed:
        passed = [replace(one) for one in job.transitions if one.start <= then]
        if not passed or job.created_at > then:
            return None
        last = passed[-1]
        status = "Stopping" if last.status == "Stopping" else "InProgress"
        is_final = job.is_final and last.start >= job.transitions[-1].start
        if is_final:
            return job
        started = job.training_started_at if job.training_started_at and job.training_started_at <= then else None
        past = replace(job, transitions=passed, status=status, secondary=last.status, changed=job.changed)
        past.modified_at, past.training_started_at, past.training_ended_at = last.start, started, None
        past.billable_s, past.failure_reason = None, ""
        return past


@cache
def _names() -> frozenset[str]:
    return frozenset(service_model("sagemaker").shape_for("DescribeTrainingJobResponse").members)


def _echo(job: TrainingJobRecord) -> Mapping[str, Any]:
    shown = {name: value for name, value in job.request.items() if name not in _NOT_SHOWN}
    shown.setdefault("EnableNetworkIsolation", False)
    shown.setdefault("EnableInterContainerTrafficEncryption", False)
    shown.setdefault("EnableManagedSpotTraining", False)
    shown["OutputDataConfig"] = {"KmsKeyId": "", "CompressionType": "GZIP", **job.request["OutputDataConfig"]}
    stop = job.request.get("StoppingCondition", {})
    shown["StoppingCondition"] = {"MaxRuntimeInSeconds": 86400, **stop}
    if "CheckpointConfig" in shown:
        shown["CheckpointConfig"] = {"LocalPath": "/opt/ml/checkpoints", **shown["CheckpointConfig"]}
    machines = shown.get("ResourceConfig", {})
    if "InstancePreferences" in machines:
        first = machines["InstancePreferences"][0]
        chosen = {"SelectedInstanceType": first["InstanceType"], "SelectedInstanceCount": first.get("InstanceCount", 1)}
        shown["ResourceConfig"] = {**machines, **chosen}
    return shown


def _state(job: TrainingJobRecord) -> Mapping[str, Any]:
    has_run = job.training_started_at is not None
    return {
        "TrainingJobArn": job.arn,
        "TrainingJobStatus": job.status,
        "SecondaryStatus": job.secondary,
        "FailureReason": job.failure_reason or None,
        "CreationTime": job.created_at,
        "TrainingStartTime": job.training_started_at,
        "TrainingEndTime": job.training_ended_at,
        "LastModifiedTime": job.modified_at,
        "SecondaryStatusTransitions": [
            {name: value for name, value in _transition(one).items() if value is not None} for one in job.transitions
        ],
        "FinalMetricDataList": [
            {"MetricName": name, "Value": value, "Timestamp": at} for name, value, at in job.metrics
        ]
        or None,
        "ModelArtifacts": {"S3ModelArtifacts": job.artifact} if has_run and job.status in ENDS else None,
        "TrainingTimeInSeconds": job.training_s if has_run and job.is_final else None,
        "BillableTimeInSeconds": job.billable_s if has_run and job.is_final else None,
        "ProfilingStatus": "Disabled",
        "WarmPoolStatus": job.pool,
    }


def _transition(one: Any) -> dict[str, Any]:
    return {"Status": one.status, "StartTime": one.start, "EndTime": one.end, "StatusMessage": one.message}
