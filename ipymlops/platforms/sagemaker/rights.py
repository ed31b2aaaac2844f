"""Which rights somebody has, by IAM's own simulation, and how that is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.policies import CONDITION, USES, Right, Verdict, grant_line, granting
from ipymlops.platforms.sagemaker.problems import answers, code_of, is_denied


def simulated(aws: Aws, principal: str, rights: Iterable[Right]) -> Verdict | None:
    """What IAM says that the role or user `principal` may do; None where IAM may not be asked."""
    results: list[tuple[Right, Mapping[str, Any]]] = []
    with answers("IAM does not say what is allowed"):
        try:
            for resource, group in _by_resource(rights, aws.region).items():
                results += _asked(aws, principal, resource, group)
        except ClientError as error:
            if is_denied(error) or code_of(error) in {"NoSuchEntity", "InvalidInput"}:
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


def rights_check(check_id: str, whose: str, arn: str, document: Mapping[str, Any], verdict: Verdict) -> Check:
    """One check for all rights of a policy; what is missing is its fix, ready to be pasted."""
    if not verdict.denied:
        return _not_denied(check_id, whose, verdict)
    needed = [right for right in verdict.denied if right.is_needed]
    uses = dict.fromkeys(f"{right.action} is for {USES[right.sid]}" for right in verdict.denied if not right.is_needed)
    why = [f"no job can do without {_actions(needed)}"] * bool(needed) + [*uses]
    why += [f"not known: {_actions(verdict.unknown)}"] * bool(verdict.unknown)
    return Check(
        check_id,
        "fail" if needed else "unknown" if verdict.unknown else "warn",
        f"{whose} may not {_actions(verdict.denied)}",
        why="; ".join(why),
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


def _actions(rights: Iterable[Right]) -> str:
    return ", ".join(right.action for right in rights)
