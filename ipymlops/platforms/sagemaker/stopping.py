"""Stopping a training job, and letting go of a machine that it keeps; twice, or after its end, is harmless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, code_of
from ipymlops.platforms.sagemaker.reading import described, is_kept
from ipymlops.platforms.sagemaker.reference import Reference

ENDED = frozenset({"Completed", "Failed", "Stopped", "Stopping", "Deleting"})
NOT_KEPT = frozenset({"Reused", "Terminated"})


def stop(aws: Aws, reference: Reference) -> None:
    """Raises `PlatformProblem` where it still runs and cannot be stopped, or a machine stays that is paid for."""
    told = described(aws, reference)
    if told is None:
        return
    if told["TrainingJobStatus"] not in ENDED:
        _stop(aws, reference)
    if _keeps(told):
        _let_go(aws, reference)


def _stop(aws: Aws, reference: Reference) -> None:
    with answers("the training job could not be stopped"):
        try:
            aws.client("sagemaker", reference.region).stop_training_job(TrainingJobName=reference.name)
        except ClientError as error:
            if code_of(error) != "Validation":
                raise
            told = described(aws, reference)  # it may have ended meanwhile
            if told is not None and told["TrainingJobStatus"] not in ENDED:
                raise


def _keeps(told: Mapping[str, Any]) -> bool:
    """Whether its machine is to be kept for another job, or is kept by now."""
    is_over = told.get("WarmPoolStatus", {}).get("Status") in NOT_KEPT
    return bool(told.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds")) and not is_over


def _let_go(aws: Aws, reference: Reference) -> None:
    """While a job still ends, SageMaker may refuse it: whoever sees the end asks again."""
    with answers("the machine that is kept for the next job could not be let go; it is paid for"):
        try:
            aws.client("sagemaker", reference.region).update_training_job(
                TrainingJobName=reference.name, ResourceConfig={"KeepAlivePeriodInSeconds": 0}
            )
        except ClientError:
            told = described(aws, reference)  # a job may have taken it meanwhile
            if told is not None and is_kept(told):
                raise
