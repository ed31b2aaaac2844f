"""The server that stands for AWS, without containers: one for all tests of a worker, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api

Create = Callable[..., Any]
Refusal = Callable[..., tuple[str, str]]


@pytest.fixture(scope="session")
def server() -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        yield running


@pytest.fixture
def api(server: SageMakerApi) -> SageMakerApi:
    server.reset()
    return server


@pytest.fixture(scope="session")
def sagemaker(server: SageMakerApi) -> Any:
    """An unmodified client of the caller that asks once, and leaves it to the service to refuse."""
    return server.client_as(server.env, "sagemaker", retries={"total_max_attempts": 1}, parameter_validation=False)


@pytest.fixture(scope="session")
def patient(server: SageMakerApi) -> Any:
    """The same with the retries that every user has."""
    return server.client_as(server.env, "sagemaker")


@pytest.fixture
def request_of(api: SageMakerApi) -> Callable[..., dict[str, Any]]:
    """A request that is accepted, but for the fields that are given; one that is None is left out."""

    def request(name: str = "job-1", **fields: Any) -> dict[str, Any]:
        whole = {
            "TrainingJobName": name,
            "RoleArn": api.role,
            "AlgorithmSpecification": {"TrainingImage": api.image, "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://{api.bucket}/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        } | fields
        return {field: value for field, value in whole.items() if value is not None}

    return request


@pytest.fixture
def create(sagemaker: Any, request_of: Callable[..., dict[str, Any]]) -> Create:
    return lambda name="job-1", **fields: sagemaker.create_training_job(**request_of(name, **fields))


@pytest.fixture(scope="session")
def refusal() -> Refusal:
    """The code and the text with which a call is refused."""

    def refused(call: Callable[..., Any], *words: Any, **fields: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            call(*words, **fields)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    return refused
