"""Stopping a training job; twice, or after its end, is harmless."""

from __future__ import annotations

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, code_of
from ipymlops.platforms.sagemaker.reading import described
from ipymlops.platforms.sagemaker.reference import Reference

ENDED = frozenset({"Completed", "Failed", "Stopped", "Stopping", "Deleting"})


def stop(aws: Aws, reference: Reference) -> None:
    """Raises `PlatformProblem` where it still runs and cannot be stopped."""
    told = described(aws, reference)
    if told is None or told["TrainingJobStatus"] in ENDED:
        return
    with answers("the training job could not be stopped"):
        try:
            aws.client("sagemaker", reference.region).stop_training_job(TrainingJobName=reference.name)
        except ClientError as error:
            if code_of(error) != "Validation":
                raise
            told = described(aws, reference)  # it may have ended meanwhile
            if told is not None and told["TrainingJobStatus"] not in ENDED:
                raise
