"""Which training jobs are accepted, seen through an unmodified client."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.servers.sagemaker_api import SageMakerApi
from tests.unit.servers.conftest import Create, Refusal

SPOT = {"EnableManagedSpotTraining": True}
WARM = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "KeepAlivePeriodInSeconds": 600}
PREFERENCES = {"InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g6.xlarge"}]}


def channel(name: str, uri: str, **fields: Any) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}} | fields


@pytest.fixture
def data(api: SageMakerApi) -> str:
    api.client("s3").put_object(Bucket=api.bucket, Key="data/a.csv", Body=b"1")
    return f"s3://{api.bucket}/data/"


def test_a_good_request_is_accepted_and_told_back(api: SageMakerApi, create: Create, sagemaker: Any, data: str) -> None:
    asked = {
        "HyperParameters": {"lr": "0.1", "note": "größer"},
        "Environment": {"A": "line\nline"},
        "InputDataConfig": [channel("train", data)],
        "Tags": [{"Key": "team:x", "Value": "größe"}],
    }
    arn = create("My-Job", **asked)["TrainingJobArn"]
    assert arn == f"arn:aws:sagemaker:us-east-1:{api.account}:training-job/my-job"
    told = sagemaker.describe_training_job(TrainingJobName="My-Job")
    assert (told["TrainingJobStatus"], told["TrainingJobArn"]) == ("Completed", arn)
    assert [told[field] for field in ("HyperParameters", "Environment")] == list(asked.values())[:2]
    assert told["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{api.bucket}/out/My-Job/output/model.tar.gz"
    assert "Tags" not in told
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == asked["Tags"]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"name": "bad name!!"},
            (
                "1 validation error detected: Value 'bad name!!' at 'trainingJobName' failed to satisfy constraint: Member "
                "must satisfy regular expression pattern"
            ),
        ),
        ({"name": "x" * 64}, "at 'trainingJobName' failed to satisfy constraint: Member must have length"),
        ({"name": "ends-with-"}, "Value 'ends-with-' at 'trainingJobName'"),
        (
            {"ResourceConfig": {"InstanceType": "ml.nope.large", "InstanceCount": 1}},
            (
                "Value 'ml.nope.large' at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy "
                "enum value set: [ml.m4.xlarge"
            ),
        ),
        ({"Environment": {"A": "x" * 513}}, "at 'environment' failed to satisfy constraint: Map value must satisfy"),
        ({"Environment": {"A-B": "x"}}, "at 'environment' failed to satisfy constraint: Map keys must satisfy"),
        ({"Environment": {f"A{n}": "x" for n in range(101)}}, "Member must have length less than or equal to 100"),
        ({"HyperParameters": {"a": "x" * 2501}}, "at 'hyperParameters' failed to satisfy constraint: Map value must"),
        ({"HyperParameters": {"a": "x\ny"}}, "at 'hyperParameters' failed to satisfy constraint: Map value must"),
        ({"HyperParameters": {f"a{n}": "x" for n in range(101)}}, "Member must have length less than or equal to 100"),
        ({"Tags": [{"Key": "a#b", "Value": "x"}]}, "Value 'a#b' at 'tags.1.member.key' failed to satisfy constraint"),
        ({"Tags": [{"Key": f"a{n}", "Value": "x"} for n in range(51)]}, "at 'tags' failed to satisfy constraint"),
        ({"Tags": [{"Key": "a", "Value": "x"}] * 2}, "Tag keys must be unique"),
        ({"Tags": [{"Key": "aws:a", "Value": "x"}]}, "reserved for AWS use"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/nobody"}, "Could not assume role arn:aws:iam::123456789012:role/"),
        ({"RoleArn": "arn:aws:iam::123456789012:role/Developer"}, "allows principal 'sagemaker.amazonaws.com' to"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 28 * 86400 + 1}}, "less than or equal to 2419200"),
        ({"StoppingCondition": None}, "StoppingCondition is required"),
        ({"ResourceConfig": None}, "ResourceConfig is required"),
        (SPOT, "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"),
        (
            SPOT | {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "Invalid MaxWaitTimeInSeconds",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "It must not be present when EnableManagedSpotTraining is false",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxPendingTimeInSeconds": 1800}},
            "MaxPendingTimeInSeconds is only supported for accelerated",
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxPendingTimeInSeconds": 1799}},
            "Member must have value greater than or equal to 1800",
        ),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large"}}, "InstanceCount must be at least 1"),
        ({"ResourceConfig": {"InstanceCount": 1}}, "Exactly one of InstanceType, InstanceGroups and"),
        ({"ResourceConfig": PREFERENCES | {"InstanceType": "ml.g5.xlarge"}}, "Exactly one of InstanceType"),
        (
            SPOT
            | {
                "ResourceConfig": PREFERENCES,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
            },
            "InstancePreferences cannot be used with managed spot training",
        ),
        (
            SPOT
            | {"ResourceConfig": WARM, "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "KeepAlivePeriodInSeconds cannot be used with managed spot training",
        ),
        ({"OutputDataConfig": {"S3OutputPath": "s3://no-such-bucket/x"}}, "The specified bucket does not exist"),
        ({"CheckpointConfig": {"S3Uri": "s3://no-such-bucket/x"}}, "Invalid S3 location s3://no-such-bucket/x"),
        (
            {"InputDataConfig": [channel("a", "s3://no-such-bucket/x")]},
            'No S3 objects found under S3 URL "s3://no-such',
        ),
    ],
)
def test_a_bad_request_is_refused_in_the_services_words(
    create: Create, refusal: Refusal, fields: dict[str, Any], text: str
) -> None:
    code, told = refusal(create, **fields)
    assert code == "ValidationException"
    assert text in told


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({}, "exactly one of TrainingImage and AlgorithmName"),
        (
            {"TrainingImage": "python:3", "AlgorithmName": "arn-or-name"},
            "exactly one of TrainingImage and AlgorithmName",
        ),
        ({"TrainingImage": "i", "ContainerArguments": ["x" * 257]}, "at 'algorithmSpecification.containerArguments'"),
        (
            {"TrainingImage": "i", "ContainerArguments": ["x"] * 101},
            "Member must have length less than or equal to 100",
        ),
        ({"TrainingImage": "i", "ContainerArguments": ["x\ny"]}, "failed to satisfy constraint"),
        ({"TrainingImage": "i" * 256}, "at 'algorithmSpecification.trainingImage'"),
        ({"TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/nope:1"}, "Cannot find repository: nope in"),
        ({"TrainingImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:9"}, "Cannot find Requested image"),
        ({"TrainingImage": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/python:1"}, "must be in the region of the"),
    ],
)
def test_an_algorithm_that_cannot_be_is_refused(
    create: Create, refusal: Refusal, spec: dict[str, Any], text: str
) -> None:
    code, told = refusal(create, AlgorithmSpecification={"TrainingInputMode": "File"} | spec)
    assert (code, text in told) == ("ValidationException", True), told


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"CompressionType": "Gzip"}, "only supported in Pipe mode"),
        ({"InputMode": "FastFile", "uri": "data"}, "must end with '/' in FastFile mode"),
        ({"ChannelName": "a b"}, "at 'inputDataConfig.1.member.channelName'"),
        ({"uri": "nothing/"}, "that objects exist under that S3 prefix, and that the role"),
        ({"DataSource": {}}, "Exactly one data source"),
    ],
)
def test_a_channel_that_cannot_be_is_refused(
    api: SageMakerApi, create: Create, refusal: Refusal, data: str, fields: dict[str, Any], text: str
) -> None:
    uri = f"s3://{api.bucket}/{fields.pop('uri', 'data/')}"
    code, told = refusal(create, InputDataConfig=[channel("a", uri) | fields])
    assert (code, text in told) == ("ValidationException", True), told


def test_channels_have_names_of_their_own(create: Create, refusal: Refusal, data: str) -> None:
    assert "Duplicate channel name 'a'" in refusal(create, InputDataConfig=[channel("a", data)] * 2)[1]


def test_a_bucket_of_another_region_is_refused(api: SageMakerApi, create: Create, refusal: Refusal) -> None:
    told = refusal(create, OutputDataConfig={"S3OutputPath": f"s3://{api.other_bucket}/x"})[1]
    assert "in this region: eu-central-1" in told


def test_a_required_field_that_is_missing_is_null(create: Create, refusal: Refusal) -> None:
    told = refusal(create, RoleArn=None)[1]
    assert (
        told
        == "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
    )
    assert refusal(create, StoppingCondition={"MaxRuntimeInSeconds": "60"})[0] == "SerializationException"


def test_a_name_is_taken_until_its_job_is_deleted(
    api: SageMakerApi, create: Create, sagemaker: Any, refusal: Refusal
) -> None:
    create("one")
    code, text = refusal(create, "one")
    assert (code, "must be unique within an AWS account and region" in text) == ("ResourceInUse", True)
    sagemaker.delete_training_job(TrainingJobName="one")
    not_found = ("ValidationException", "Requested resource not found.")
    assert refusal(sagemaker.describe_training_job, TrainingJobName="one") == not_found
    create("one")
    assert api.all_jobs()[0].name == "one"


def test_regions_do_not_know_each_others_jobs(api: SageMakerApi, create: Create, refusal: Refusal) -> None:
    create("one")
    other = api.client_as(api.env, "sagemaker", "eu-central-1")
    assert refusal(other.describe_training_job, TrainingJobName="one")[0] == "ValidationException"
    assert other.list_training_jobs()["TrainingJobSummaries"] == []


def test_several_machines_in_order_of_preference(create: Create, sagemaker: Any) -> None:
    create(ResourceConfig=PREFERENCES)
    machines = sagemaker.describe_training_job(TrainingJobName="job-1")["ResourceConfig"]
    assert (machines["SelectedInstanceType"], machines["SelectedInstanceCount"]) == ("ml.g5.xlarge", 1)


def test_an_unknown_call_is_refused_and_not_a_broken_answer(sagemaker: Any, refusal: Refusal) -> None:
    assert refusal(sagemaker.list_code_repositories)[0] == "UnknownOperationException"
    with pytest.raises(ClientError, match="RecordNotFound"):
        sagemaker.describe_notebook_instance(NotebookInstanceName="x")
