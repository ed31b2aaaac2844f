"""What CreateTrainingJob refuses although its model allows it; each rule gives the service's text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.ecr.models import ecr_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

DAY_S = 86400
MAX_RUNTIME_S = 28 * DAY_S
ECR = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<repository>[^:@]+)(?P<version>[:@].+)?"
)
ACCELERATED = re.compile(r"ml\.(p|g|trn|inf)\d")
Told = Mapping[str, Any]


def broken_rules(told: Told, region: str, account: str) -> Iterator[str]:
    """Texts, the likeliest mistake first; those that look at other services come last."""
    yield from _algorithm(told)
    yield from _machines(told)
    yield from _times(told)
    yield from _channels(told)
    yield from _tags(told.get("Tags", []))
    yield from _role(told["RoleArn"], account)
    yield from _buckets(told, region)
    yield from _image(told, region)


def _algorithm(told: Told) -> Iterator[str]:
    spec = told.get("AlgorithmSpecification")
    if "ServerlessJobConfig" in told:
        return
    if spec is None:
        yield "AlgorithmSpecification is required."
    elif ("TrainingImage" in spec) == ("AlgorithmName" in spec):
        yield "You must specify exactly one of TrainingImage and AlgorithmName in AlgorithmSpecification."
    for missing in {"ResourceConfig", "StoppingCondition"} - set(told):
        yield f"{missing} is required."
    for field in ("ContainerEntrypoint", "ContainerArguments"):
        if any("\n" in one for one in (spec or {}).get(field, [])):
            yield f"{field} must not contain newlines."
    mode = (spec or {}).get("TrainingImageConfig", {}).get("TrainingRepositoryAccessMode")
    if mode == "Vpc" and "VpcConfig" not in told:
        yield "VpcConfig is required when TrainingRepositoryAccessMode is Vpc."


def _machines(told: Told) -> Iterator[str]:
    machines, is_spot = told.get("ResourceConfig", {}), told.get("EnableManagedSpotTraining", False)
    ways = [way for way in ("InstanceType", "InstanceGroups", "InstancePreferences") if way in machines]
    if "ResourceConfig" in told and len(ways) != 1:
        yield "Exactly one of InstanceType, InstanceGroups and InstancePreferences must be specified in ResourceConfig."
    if "InstanceType" in ways and machines.get("InstanceCount", 0) < 1:
        yield "InstanceCount must be at least 1 when InstanceType is specified."
    if "InstanceGroups" in ways and "InstanceCount" in machines:
        yield "InstanceCount must not be specified with InstanceGroups."
    if machines.get("VolumeSizeInGB", 1) < 1:
        yield "VolumeSizeInGB must be at least 1."
    if "InstancePreferences" in ways and (is_spot or "InstancePlacementConfig" in machines):
        yield "InstancePreferences cannot be used with managed spot training or InstancePlacementConfig."
    if machines.get("KeepAlivePeriodInSeconds") and (is_spot or "InstanceGroups" in ways):
        yield "KeepAlivePeriodInSeconds cannot be used with managed spot training or InstanceGroups."


def _times(told: Told) -> Iterator[str]:
    stop = told.get("StoppingCondition", {})
    runtime, wait = stop.get("MaxRuntimeInSeconds", DAY_S), stop.get("MaxWaitTimeInSeconds")
    if runtime > MAX_RUNTIME_S:
        yield f"MaxRuntimeInSeconds must be less than or equal to {MAX_RUNTIME_S}."
    if told.get("EnableManagedSpotTraining"):
        if wait is None or wait < runtime:
            yield (
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds."
            )
    elif wait is not None:
        yield "Invalid MaxWaitTimeInSeconds. It must not be present when EnableManagedSpotTraining is false."
    if "MaxPendingTimeInSeconds" in stop and not _is_accelerated(told.get("ResourceConfig", {})):
        yield "MaxPendingTimeInSeconds is only supported for accelerated instance types and training plans."


def _is_accelerated(machines: Told) -> bool:
    types = [machines.get("InstanceType", "")]
    types += [one.get("InstanceType", "") for one in machines.get("InstancePreferences", [])]
    return "TrainingPlanArn" in machines or all(ACCELERATED.match(one) for one in types if one)


def _channels(told: Told) -> Iterator[str]:
    channels = told.get("InputDataConfig", [])
    names = [one["ChannelName"] for one in channels]
    for name in sorted({one for one in names if names.count(one) > 1}):
        yield f"Duplicate channel name '{name}' in InputDataConfig."
    default = told.get("AlgorithmSpecification", {}).get("TrainingInputMode")
    for one in channels:
        yield from _channel(one, one.get("InputMode", default), has_vpc="VpcConfig" in told)


def _channel(channel: Told, mode: str, *, has_vpc: bool) -> Iterator[str]:
    name, source = channel["ChannelName"], channel["DataSource"]
    if len(source) != 1:
        yield f"Exactly one data source must be specified for channel '{name}'."
    if channel.get("CompressionType") == "Gzip" and mode != "Pipe":
        yield f"CompressionType Gzip of channel '{name}' is only supported in Pipe mode."
    if "FileSystemDataSource" in source and not has_vpc:
        yield f"VpcConfig is required for the file system data source of channel '{name}'."
    s3 = source.get("S3DataSource", {})
    if mode == "FastFile" and s3.get("S3DataType") == "S3Prefix" and not s3["S3Uri"].endswith("/"):
        yield f"S3Uri of channel '{name}' must end with '/' in FastFile mode."


def _tags(tags: list[dict[str, str]]) -> Iterator[str]:
    keys = [tag["Key"] for tag in tags]
    if len(set(keys)) != len(keys):
        yield "Tag keys must be unique: duplicate tag keys were found."
    for key in keys:
        if key.lower().startswith("aws:"):
            yield f"Tag key '{key}' is invalid: aws: prefixed tag keys are reserved for AWS use."


def _role(arn: str, account: str) -> Iterator[str]:
    service = "sagemaker.amazonaws.com"
    roles = {role.arn: role for role in iam_backends[account]["aws"].roles.values()}
    if arn not in roles or service not in json.dumps(roles[arn].assume_role_policy_document):
        yield (
            f"Could not assume role {arn}. Please ensure that the role exists and allows principal "
            f"'{service}' to assume the role."
        )


def _buckets(told: Told, region: str) -> Iterator[str]:
    for channel in told.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource")
        if source:
            why = _trouble(source["S3Uri"], region, has_objects=source["S3DataType"] == "S3Prefix")
            yield from (_no_objects(source["S3Uri"], region, told["RoleArn"], one) for one in why)
    places = [told["OutputDataConfig"]["S3OutputPath"]]
    places += [told[field]["S3Uri"] for field in ("CheckpointConfig",) if field in told]
    places += [told[field]["S3OutputPath"] for field in ("TensorBoardOutputConfig",) if field in told]
    for uri in places:
        for why in _trouble(uri, region, has_objects=False):
            yield f"Invalid S3 location {uri}: {why}"


def _no_objects(uri: str, region: str, role: str, why: str) -> str:
    bucket = uri.removeprefix("s3://").partition("/")[0]
    return (
        f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket exists '
        f"in the selected region ({region}), that objects exist under that S3 prefix, and that the role "
        f'"{role}" has "s3:ListBucket" permissions on bucket "{bucket}". Error message from S3: {why}'
    )


def _trouble(uri: str, region: str, *, has_objects: bool) -> Iterator[str]:
    name, _, prefix = uri.removeprefix("s3://").partition("/")
    owner = s3_backends.bucket_accounts.get(name)
    if not uri.startswith("s3://") or owner is None:
        yield "The specified bucket does not exist"
        return
    bucket = s3_backends[owner[1]]["aws"].buckets[name]
    if bucket.region_name != region:
        yield f"The bucket is in this region: {bucket.region_name}. Please use this region to retry the request"
    elif has_objects and not any(key.startswith(prefix) for key in list(bucket.keys)):
        yield "No objects were found"


def _image(told: Told, region: str) -> Iterator[str]:
    image = told.get("AlgorithmSpecification", {}).get("TrainingImage")
    if image is None or told.get("AlgorithmSpecification", {}).get("TrainingImageConfig"):
        return
    parts = ECR.fullmatch(image)
    if parts is None:
        if ".dkr.ecr." in image:
            yield f"Invalid image URI {image}. Please provide a valid Amazon Elastic Container Registry path."
    elif parts["region"] != region:
        yield f"Cannot use image {image}: the ECR repository must be in the region of the training job, {region}."
    else:
        yield from _missing_image(image, parts)


def _missing_image(image: str, parts: re.Match[str]) -> Iterator[str]:
    repository = ecr_backends[parts["account"]][parts["region"]].repositories.get(parts["repository"])
    hint = (
        "Please check if your ECR repository and image exist and role has proper pull permissions for SageMaker: "
        "ecr:BatchCheckLayerAvailability, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer"
    )
    if repository is None:
        yield f"Cannot find repository: {parts['repository']} in registry ID: {parts['account']} {hint}"
        return
    version = (parts["version"] or ":latest")[1:]
    if not any(version in [*one.image_tags, one.image_digest] for one in repository.images):
        yield f"Cannot find Requested image: {image} in registry ID: {parts['account']} {hint}"
