"""Who asks: the caller of these credentials, the roles SageMaker may run as, what this machine says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, is_denied, is_not_found

METADATA = Path("/opt/ml/metadata/resource-metadata.json")
"""On notebook instances and in Studio; elsewhere there is none."""
SERVICE = "sagemaker.amazonaws.com"


@dataclass(frozen=True)
class Caller:
    """Whose the credentials are, by STS."""

    account: str
    arn: str

    @property
    def role_name(self) -> str | None:
        """The role's name without its path, which STS does not tell; None for a user."""
        kind, _, rest = self.arn.rpartition(":")[2].partition("/")
        return rest.split("/")[0] if kind == "assumed-role" else None

    @property
    def iam_arn(self) -> str:
        """As IAM names it; a role's path is left out."""
        if self.role_name is None:
            return self.arn
        return f"arn:{self.arn.split(':')[1]}:iam::{self.account}:role/{self.role_name}"


@dataclass(frozen=True)
class Role:
    """A role of the account; `is_for_sagemaker` where its trust policy lets SageMaker assume it."""

    arn: str
    is_for_sagemaker: bool


def caller(aws: Aws) -> Caller:
    with answers("AWS does not say whose these credentials are"):
        told = aws.client("sts").get_caller_identity()
    return Caller(told["Account"], told["Arn"])


def own_role(aws: Aws, metadata: Path = METADATA) -> str | None:
    """The ARN of the role that this caller is, if SageMaker may run jobs as it; None where that is not so or not known.

    STS leaves the role's path out, so the machine's own description is read, then IAM is asked.
    """
    told = machine(metadata).get("ExecutionRoleArn") or _of_notebook(aws, machine(metadata))
    if told:
        return str(told)
    name = caller(aws).role_name
    role = role_named(aws, name) if name else None
    return role.arn if role and role.is_for_sagemaker else None


def machine(metadata: Path = METADATA) -> Mapping[str, Any]:
    """What a SageMaker notebook says of itself; empty elsewhere."""
    try:
        told = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def region_of_machine(metadata: Path = METADATA) -> str | None:
    """The region in the notebook's own ARN."""
    parts = str(machine(metadata).get("ResourceArn", "")).split(":")
    return parts[3] or None if len(parts) > 3 else None  # noqa: PLR2004 - arn:partition:service:region


def role_named(aws: Aws, name: str) -> Role | None:
    """The role with its path; None where there is none or IAM may not be asked."""
    with answers(f"IAM does not describe the role {name}"):
        try:
            return _role(aws.client("iam").get_role(RoleName=name)["Role"])
        except ClientError as error:
            if is_denied(error) or is_not_found(error) or error.response["Error"]["Code"] == "NoSuchEntity":
                return None
            raise


def roles_for_sagemaker(aws: Aws) -> Iterator[str]:
    """The ARNs of all roles that SageMaker may assume. Raises `PlatformProblem` where they may not be listed."""
    with answers("the account's roles cannot be listed"):
        for page in aws.client("iam").get_paginator("list_roles").paginate():
            yield from (role.arn for role in map(_role, page["Roles"]) if role.is_for_sagemaker)


def _of_notebook(aws: Aws, told: Mapping[str, Any]) -> str | None:
    """The role of a notebook instance; in Studio the description has it already."""
    if not told.get("ResourceName") or "DomainId" in told:
        return None
    try:
        notebook = aws.client("sagemaker").describe_notebook_instance(NotebookInstanceName=told["ResourceName"])
    except ClientError:  # it may not be asked: IAM is, next
        return None
    return str(notebook["RoleArn"])


def _role(told: Mapping[str, Any]) -> Role:
    return Role(told["Arn"], _trusts_sagemaker(told.get("AssumeRolePolicyDocument") or {}))


def _trusts_sagemaker(document: Mapping[str, Any]) -> bool:
    statements = document.get("Statement", [])
    for one in [statements] if isinstance(statements, dict) else statements:
        principal = one.get("Principal", {})
        services = principal.get("Service", []) if isinstance(principal, dict) else []
        if one.get("Effect") == "Allow" and SERVICE in ([services] if isinstance(services, str) else services):
            return True
    return False
