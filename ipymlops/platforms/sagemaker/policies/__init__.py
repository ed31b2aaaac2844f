"""The two minimal policies: what whoever submits may do (`caller`), and what the job itself may do (`execution`)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any, Literal

PolicyName = Literal["caller", "execution"]

OPTIONAL = frozenset(
    {"KeepWarm", "Secrets", "SecretsThere", "Images", "BucketKey", "Doctor", "Setup", "SetupBucket", "Metrics"}
)
"""Statements without which jobs run all the same; each is for one thing that not everybody uses."""

USES = {
    "KeepWarm": "letting go of a machine that --keep-warm keeps",
    "Secrets": "--secret",
    "SecretsThere": "looking at a secret before a job uses it",
    "Images": "looking at an image before a job uses it",
    "BucketKey": "whether the bucket encrypts with your key",
    "Doctor": "what doctor looks at",
    "Setup": "what setup finds",
    "SetupBucket": "the bucket that setup makes",
    "Metrics": "the service's own metrics",
}
OF_SETTING = {"ec2": "subnets", "kms": "kms_key", "s3:GetEncryptionConfiguration": "kms_key"}
"""By service or by name: rights that only this setting makes necessary."""
CONDITION = {"iam:PassRole": ("iam:PassedToService", "sagemaker.amazonaws.com")}
"""What IAM must be told beside the action for the policy's own condition."""


@dataclass(frozen=True)
class Names:
    """What stands for the capital words of the policies; `*` where it is not known."""

    partition: str = "aws"
    account: str = "*"
    bucket: str = "*"
    role: str = "*"
    key: str = "*"

    def put_into(self, text: str) -> str:
        words = {"PARTITION": self.partition, "ACCOUNT": self.account, "BUCKET": self.bucket, "ROLE_ARN": self.role}
        words["KEY_ARN"] = self.key
        for word, value in words.items():
            text = text.replace(word, value)
        return text


@dataclass(frozen=True)
class Right:
    """One action on one resource, by the statement (`sid`) that grants it."""

    action: str
    resource: str
    sid: str

    @property
    def is_needed(self) -> bool:
        return self.sid not in OPTIONAL

    def is_asked_with(self, settings: Mapping[str, str]) -> bool:
        """Whether jobs with these settings need it at all."""
        setting = OF_SETTING.get(self.action) or OF_SETTING.get(self.action.partition(":")[0])
        return setting is None or bool(settings.get(setting))

    def example(self, region: str) -> str:
        """A resource of that pattern, for a question that is about one."""
        if self.resource == "*":
            return self.resource
        return self.resource.replace(":*:", f":{region}:", 1).replace("*", "ipymlops-doctor")


@dataclass(frozen=True)
class Verdict:
    """What is known of some rights; what is in neither is allowed."""

    denied: tuple[Right, ...] = ()
    unknown: tuple[Right, ...] = ()


def policy(name: PolicyName, names: Names) -> dict[str, Any]:
    """The policy as it is pasted into IAM."""
    text = files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(names.put_into(text))
    return document


def rights_of(document: Mapping[str, Any]) -> Iterator[Right]:
    """What a policy of ours grants, one by one."""
    for statement in document["Statement"]:
        for action in _many(statement["Action"]):
            yield Right(action, _many(statement["Resource"])[-1], statement["Sid"])


def granting(document: Mapping[str, Any], rights: Iterable[Right]) -> dict[str, Any]:
    """The part of a policy that grants these rights and no other."""
    wanted = {(right.sid, right.action) for right in rights}
    statements = []
    for statement in document["Statement"]:
        actions = [action for action in _many(statement["Action"]) if (statement["Sid"], action) in wanted]
        if actions:
            statements.append({**statement, "Action": actions})
    return {"Version": document["Version"], "Statement": statements}


def grant_line(arn: str, document: Mapping[str, Any]) -> str:
    """The command that gives a role or a user this policy, under a name of its own: no other is replaced."""
    text = json.dumps(document, separators=(",", ":"))
    kind, _, rest = arn.rpartition(":")[2].partition("/")
    whom = "user" if kind == "user" else "role"
    named = f"ipymlops-{sha256(text.encode()).hexdigest()[:8]}"
    who = f"aws iam put-{whom}-policy --{whom}-name {shlex.quote(rest.rpartition('/')[2])}"
    return f"{who} --policy-name {named} --policy-document {shlex.quote(text)}"


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
