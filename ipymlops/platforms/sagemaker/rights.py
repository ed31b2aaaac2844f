"""Which rights somebody has: IAM's own simulation where it may be asked, else cheap calls that only read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.policies import CONDITION, USES, Right, grant_line, granting
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_denied, is_not_found

NOBODY = "ipymlops-doctor"
"""A job, a stream, a secret and a repository that there is not: that it is not found tells that one may look."""
LOG_GROUP = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True)
class Verdict:
    """What is known of some rights; what is in neither is allowed."""

    denied: tuple[Right, ...] = ()
    unknown: tuple[Right, ...] = ()


def simulated(aws: Aws, principal: str, rights: Iterable[Right]) -> Verdict | None:
    """What IAM says that the role or user `principal` may do; None where IAM may not be asked."""
    results: list[tuple[Right, Mapping[str, Any]]] = []
    try:
        with answers("IAM does not say what is allowed"):
            for resource, group in _by_resource(rights, aws.region).items():
                results += _asked(aws, principal, resource, group)
    except Exception as error:
        if isinstance(error.__cause__, ClientError) and _may_not_ask(error.__cause__):
            return None
        raise
    refused = [(right, result) for right, result in results if result["EvalDecision"] != "allowed"]
    unsure = tuple(right for right, result in refused if _depends(result))
    return Verdict(tuple(right for right, result in refused if not _depends(result)), unsure)


def _by_resource(rights: Iterable[Right], region: str) -> Mapping[str, list[Right]]:
    groups: dict[str, list[Right]] = defaultdict(list)
    for right in rights:
        groups[right.example(region)].append(right)
    return groups


def _asked(aws: Aws, principal: str, resource: str, rights: Sequence[Right]) -> list[tuple[Right, Mapping[str, Any]]]:
    of_action = {right.action: right for right in rights}
    context = [
        {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
        for key, value in (CONDITION[action] for action in of_action if action in CONDITION)
    ]
    pages = (
        aws.client("iam")
        .get_paginator("simulate_principal_policy")
        .paginate(PolicySourceArn=principal, ActionNames=[*of_action], ResourceArns=[resource], ContextEntries=context)
    )
    return [(of_action[one["EvalActionName"]], one) for page in pages for one in page["EvaluationResults"]]


def _depends(result: Mapping[str, Any]) -> bool:
    """A policy asks for more than the simulation was told (a tag, an address): nobody knows."""
    return bool(result.get("MissingContextValues")) and result["EvalDecision"] == "implicitDeny"


def _may_not_ask(error: ClientError) -> bool:
    return is_denied(error) or code_of(error) in {"NoSuchEntity", "InvalidInput"}


def probed(aws: Aws, bucket: str | None, rights: Iterable[Right]) -> Verdict:
    """What calls that only read tell; the rest is unknown."""
    denied, unknown = [], []
    for right in rights:
        answer = _may(aws, right.action, bucket)
        if answer is False:
            denied.append(right)
        elif answer is None:
            unknown.append(right)
    return Verdict(tuple(denied), tuple(unknown))


def _may(aws: Aws, action: str, bucket: str | None) -> bool | None:
    service, operation, words, region = _probe(action, bucket)
    if not operation:
        return None
    with answers(f"it is not known whether {action} is allowed"):
        try:
            getattr(aws.client(service, region), operation)(**words)
        except ClientError as error:
            if is_denied(error):
                return False
            if not is_not_found(error):
                raise
    return True


def _probe(action: str, bucket: str | None) -> tuple[str, str, dict[str, Any], str | None]:
    """(service, operation, its words, region) of a call that needs this right; "" where only doing it would tell."""
    here = {"Bucket": bucket}
    probes: dict[str, tuple[str, str, dict[str, Any]]] = {
        "sagemaker:DescribeTrainingJob": ("sagemaker", "describe_training_job", {"TrainingJobName": NOBODY}),
        "sagemaker:Search": ("sagemaker", "search", {"Resource": "TrainingJob", "MaxResults": 1}),
        "sagemaker:ListTrainingJobs": ("sagemaker", "list_training_jobs", {"MaxResults": 1}),
        "logs:DescribeLogStreams": ("logs", "describe_log_streams", {"logGroupName": LOG_GROUP, "limit": 1}),
        "logs:GetLogEvents": ("logs", "get_log_events", {"logGroupName": LOG_GROUP, "logStreamName": NOBODY}),
        "secretsmanager:DescribeSecret": (
            *("secretsmanager", "describe_secret"),
            {"SecretId": f"AmazonSageMaker-{NOBODY}"},
        ),
        "ecr:DescribeImages": ("ecr", "describe_images", {"repositoryName": NOBODY}),
        "servicequotas:ListServiceQuotas": (
            *("service-quotas", "list_service_quotas"),
            {"ServiceCode": "sagemaker", "MaxResults": 1},
        ),
        "servicequotas:ListAWSDefaultServiceQuotas": (
            *("service-quotas", "list_aws_default_service_quotas"),
            {"ServiceCode": "sagemaker", "MaxResults": 1},
        ),
    }
    if bucket:
        probes |= {
            "s3:ListBucket": ("s3", "list_objects_v2", {**here, "MaxKeys": 1}),
            "s3:GetBucketLocation": ("s3", "get_bucket_location", here),
            "s3:GetObject": ("s3", "head_object", {**here, "Key": f"ipymlops/{NOBODY}"}),
        }
    if action == "pricing:GetProducts":
        return "pricing", "get_products", {"ServiceCode": "AmazonSageMaker", "MaxResults": 1}, "us-east-1"
    return (*probes.get(action, ("", "", {})), None)


def rights_check(check_id: str, whose: str, arn: str, document: Mapping[str, Any], verdict: Verdict) -> Check:
    """One check for all rights of a policy; what is missing is its fix, ready to be pasted."""
    if not verdict.denied:
        return _not_denied(check_id, whose, verdict)
    needed = [right for right in verdict.denied if right.is_needed]
    uses = dict.fromkeys(_use(right) for right in verdict.denied)
    return Check(
        check_id,
        "fail" if needed else "warn",
        f"{whose} may not {_actions(verdict.denied)}",
        why=f"no job can do without {_actions(needed)}" if needed else "; ".join(uses),
        fix=grant_line(arn, granting(document, verdict.denied)),
    )


def _not_denied(check_id: str, whose: str, verdict: Verdict) -> Check:
    if not verdict.unknown:
        return Check(check_id, "ok", f"{whose} may do everything that is needed")
    return Check(
        check_id,
        "unknown",
        f"whether {whose} may {_actions(verdict.unknown)} is not known",
        why="IAM does not tell (iam:SimulatePrincipalPolicy), and only doing it would",
    )


def _use(right: Right) -> str:
    return f"{right.action} is for {USES[right.sid]}"


def _actions(rights: Iterable[Right]) -> str:
    return ", ".join(right.action for right in rights)
