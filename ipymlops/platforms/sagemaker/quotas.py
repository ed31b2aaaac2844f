"""How many machines of a type the account may run at once, and how many it runs now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.platforms.base import Check
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.problems import answers, is_denied
from ipymlops.spec import JobSpec

ID, SERVICE = "sagemaker.quota", "sagemaker"
TRAINING, SPOT, WARM = "training job", "spot training job", "training warm pool"
"""What the quotas of one machine are called for, in their names."""


@dataclass(frozen=True)
class Quota:
    """One row of Service Quotas; `limit` counts machines."""

    code: str
    name: str
    limit: int


def name_of(machine_type: str, use: str = TRAINING) -> str:
    """The row's name: they have codes too, which differ without a rule."""
    return f"{machine_type} for {use} usage"


def quotas(aws: Aws) -> dict[str, Quota]:
    """Every quota of the service by its name: the account's own, else the default."""
    found = _pages(aws, "list_aws_default_service_quotas") | _pages(aws, "list_service_quotas")
    return {name: Quota(row["QuotaCode"], name, int(row["Value"])) for name, row in found.items()}


def _pages(aws: Aws, operation: str) -> dict[str, Mapping[str, Any]]:
    with answers("the account's quotas cannot be read"):
        pages = aws.client("service-quotas").get_paginator(operation).paginate(ServiceCode=SERVICE)
        return {row["QuotaName"]: row for page in pages for row in page["Quotas"]}


@dataclass(frozen=True)
class InUse:
    """Machines of one type that training jobs hold now, spot machines apart."""

    on_demand: int
    spot: int


def in_use(aws: Aws, machine_type: str) -> InUse | None:
    """Counted from the jobs that are in progress; None where they may not be searched."""
    filters = [
        {"Name": "TrainingJobStatus", "Operator": "Equals", "Value": "InProgress"},
        {"Name": "ResourceConfig.InstanceType", "Operator": "Equals", "Value": machine_type},
    ]
    with answers("the jobs in progress cannot be searched"):
        try:
            pages = (
                aws.client("sagemaker")
                .get_paginator("search")
                .paginate(Resource="TrainingJob", SearchExpression={"Filters": filters})
            )
            jobs = [row["TrainingJob"] for page in pages for row in page["Results"]]
        except ClientError as error:
            if is_denied(error):
                return None
            raise
    spot = sum(_machines(job) for job in jobs if job.get("EnableManagedSpotTraining"))
    return InUse(sum(map(_machines, jobs)) - spot, spot)


def _machines(job: Mapping[str, Any]) -> int:
    return int(job["ResourceConfig"].get("InstanceCount", 1))


def machine_check(aws: Aws, machine_type: str, spec: JobSpec) -> Check:
    """Whether the account may run the machines of this job now, and what of the other ways to rent them."""
    rows, use = quotas(aws), SPOT if spec.spot else TRAINING
    quota = rows.get(name_of(machine_type, use))
    if quota is None:
        return Check(ID, "unknown", f"no quota is called {name_of(machine_type, use)!r} in {aws.region}")
    used = in_use(aws, machine_type)
    held = None if used is None else used.spot if spec.spot else used.on_demand
    what = f"{machine_type} in {aws.region}: {', '.join(_limits(rows, machine_type))}; {_held(held)}"
    if quota.limit < spec.nodes:
        why = f"a {use} of {spec.nodes} needs {spec.nodes}, and this account may run {quota.limit}"
        return Check(ID, "fail", what, why=why, fix=raise_line(quota, spec.nodes, aws.region))
    if spec.keep_warm_s and not _limit(rows, machine_type, WARM):
        why = "--keep-warm needs a quota of its own"
        pool = rows.get(name_of(machine_type, WARM), quota)
        return Check(ID, "fail", what, why=why, fix=raise_line(pool, spec.nodes, aws.region))
    if held is None:
        return Check(ID, "unknown", what, why="the jobs in progress may not be searched (sagemaker:Search)")
    if quota.limit < spec.nodes + held:
        why = f"a {use} of {spec.nodes} would be queued until others have ended"
        return Check(ID, "warn", what, why=why, fix=raise_line(quota, spec.nodes + held, aws.region))
    return Check(ID, "ok", what)


def _limits(rows: Mapping[str, Quota], machine_type: str) -> Iterator[str]:
    for use in (TRAINING, SPOT, WARM):
        limit = _limit(rows, machine_type, use)
        if limit is not None:
            yield f"{limit} at once as {use}"


def _limit(rows: Mapping[str, Quota], machine_type: str, use: str) -> int | None:
    quota = rows.get(name_of(machine_type, use))
    return None if quota is None else quota.limit


def _held(held: int | None) -> str:
    return "how many are in use is not known" if held is None else f"{held} in use"


def summary_check(aws: Aws, machine_types: Iterable[str]) -> Check:
    """Which machines with a GPU the account may run at all.

    Args:
        machine_types: The one to ask more of first, where it may run none.
    """
    rows = quotas(aws)
    known = [(one, rows[name_of(one)]) for one in machine_types if name_of(one) in rows]
    some = [f"{quota.limit} x {one}" for one, quota in known if quota.limit > 0]
    if some:
        return Check(ID, "ok", f"machines with a GPU for training in {aws.region}: {', '.join(some)}")
    if not known:
        return Check(ID, "unknown", f"Service Quotas has no row for any machine with a GPU in {aws.region}")
    return Check(
        ID,
        "warn",
        f"this account may run no machine with a GPU for training in {aws.region}",
        why="each type has a quota of its own, which is 0 until it is raised",
        fix=raise_line(known[0][1], 1, aws.region),
    )


def raise_line(quota: Quota, wanted: int, region: str) -> str:
    """The command that asks for more; people at AWS may have to answer."""
    words = f"--service-code {SERVICE} --quota-code {quota.code} --desired-value {wanted} --region {region}"
    return f"aws service-quotas request-service-quota-increase {words}"
