"""Calls that only read, each of which needs one right: whoever may not is told so, also about what there is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.policies import Right, Verdict
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_denied, is_not_found
from ipymlops.platforms.sagemaker.streams import GROUP

NOBODY = "ipymlops-doctor"
"""A job, a stream, a role, a secret and a repository that there is not."""
NOTHING = frozenset(
    {"NoSuchEntity", "InvalidInput", "InvalidParameter", "ServerSideEncryptionConfigurationNotFoundError"}
)
"""An answer about what was asked for: so it may be asked."""
SERVICE = {"ServiceCode": "sagemaker", "MaxResults": 1}


@dataclass(frozen=True)
class Probe:
    """One call; `region` None is the platform's own. `is_of_bucket`: the bucket's name belongs to its words."""

    service: str
    operation: str
    words: Mapping[str, Any] = field(default_factory=dict)
    region: str | None = None
    is_of_bucket: bool = False


PROBES = {
    "sagemaker:DescribeTrainingJob": Probe("sagemaker", "describe_training_job", {"TrainingJobName": NOBODY}),
    "sagemaker:Search": Probe("sagemaker", "search", {"Resource": "TrainingJob", "MaxResults": 1}),
    "sagemaker:ListTrainingJobs": Probe("sagemaker", "list_training_jobs", {"MaxResults": 1}),
    "s3:ListBucket": Probe("s3", "list_objects_v2", {"MaxKeys": 1}, is_of_bucket=True),
    "s3:GetEncryptionConfiguration": Probe("s3", "get_bucket_encryption", is_of_bucket=True),
    "s3:GetObject": Probe("s3", "head_object", {"Key": f"ipymlops/{NOBODY}"}, is_of_bucket=True),
    "logs:DescribeLogStreams": Probe("logs", "describe_log_streams", {"logGroupName": GROUP, "limit": 1}),
    "logs:FilterLogEvents": Probe("logs", "filter_log_events", {"logGroupName": GROUP, "limit": 1}),
    "logs:GetLogEvents": Probe("logs", "get_log_events", {"logGroupName": GROUP, "logStreamName": NOBODY}),
    "ecr:DescribeImages": Probe("ecr", "describe_images", {"repositoryName": NOBODY}),
    "ecr:BatchGetImage": Probe("ecr", "batch_get_image", {"repositoryName": NOBODY, "imageIds": [{"imageTag": "1"}]}),
    "ecr:GetDownloadUrlForLayer": Probe(
        "ecr", "get_download_url_for_layer", {"repositoryName": NOBODY, "layerDigest": f"sha256:{'0' * 64}"}
    ),
    "secretsmanager:DescribeSecret": Probe("secretsmanager", "describe_secret", {"SecretId": NOBODY}),
    "iam:GetRole": Probe("iam", "get_role", {"RoleName": NOBODY}),
    "iam:SimulatePrincipalPolicy": Probe(
        "iam",
        "simulate_principal_policy",
        {"PolicySourceArn": f"arn:aws:iam::000000000000:role/{NOBODY}", "ActionNames": ["iam:GetRole"]},
    ),
    "servicequotas:ListServiceQuotas": Probe("service-quotas", "list_service_quotas", SERVICE),
    "servicequotas:ListAWSDefaultServiceQuotas": Probe("service-quotas", "list_aws_default_service_quotas", SERVICE),
    "pricing:GetProducts": Probe(
        "pricing", "get_products", {"ServiceCode": "AmazonSageMaker", "MaxResults": 1}, "us-east-1"
    ),
    "ec2:DescribeSubnets": Probe("ec2", "describe_subnets"),
    "ec2:DescribeVpcEndpoints": Probe("ec2", "describe_vpc_endpoints"),
    "ec2:DescribeRouteTables": Probe("ec2", "describe_route_tables"),
}


def probed(aws: Aws, bucket: str | None, rights: Iterable[Right]) -> Verdict:
    """What the caller's own calls tell; a right that only doing it would tell of is unknown."""
    may = {right: _may(aws, PROBES.get(right.action), bucket) for right in rights}
    if any(right.action == "s3:ListBucket" and answer is not True for right, answer in may.items()):
        # S3 says "denied" of an object that is not there to whoever may not list
        may |= {right: None for right in may if right.action == "s3:GetObject"}
    denied, unknown = ([right for right in may if may[right] is answer] for answer in (False, None))
    return Verdict(tuple(denied), tuple(unknown))


def _may(aws: Aws, probe: Probe | None, bucket: str | None) -> bool | None:
    if probe is None or (probe.is_of_bucket and not bucket):
        return None
    words = {**probe.words, "Bucket": bucket} if probe.is_of_bucket else probe.words
    with answers("it cannot be found out what these credentials may do"):
        try:
            getattr(aws.client(probe.service, probe.region), probe.operation)(**words)
        except ClientError as error:
            if is_denied(error):
                return False
            if not (is_not_found(error) or code_of(error) in NOTHING):
                raise
    return True
