"""A training job as SageMaker describes it, ours or not: as our record, and as the plan it must have had."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from botocore.exceptions import ClientError

from ipymlops.errors import NotSignedIn, PlatformProblem
from ipymlops.hardware.machines import Machine
from ipymlops.job import Job
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.choosing import machine_called
from ipymlops.platforms.sagemaker.names import COMMIT_TAG
from ipymlops.platforms.sagemaker.prices import known_prices
from ipymlops.platforms.sagemaker.problems import answers, is_not_found
from ipymlops.platforms.sagemaker.reference import Reference, read_reference
from ipymlops.platforms.sagemaker.states import detail_of, end_reason_of, exit_code_of, state_of
from ipymlops.spec import DEFAULT_MAX_RUNTIME_S, JobId, Plan, PlatformRef

ROUNDED_S = 1
"""Two answers may round one moment differently, at a second's edge to two seconds."""
OUR_ID = re.compile(r"j[0-9a-f]{15}")
KEPT_MOST_S = 6 * 3600
ECHOED = frozenset(
    {
        *("TrainingJobName", "RoleArn", "AlgorithmSpecification", "HyperParameters", "InputDataConfig", "VpcConfig"),
        *("OutputDataConfig", "ResourceConfig", "StoppingCondition", "EnableManagedSpotTraining", "CheckpointConfig"),
        *("Environment", "EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "TensorBoardOutputConfig"),
        *("RetryStrategy", "DebugHookConfig", "ProfilerConfig", "ExperimentConfig", "MlflowConfig"),
    }
)
"""What a description repeats of the request."""
GOES_ON = "; the job itself goes on"
CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


@contextmanager
def in_touch(aws: Aws) -> Iterator[None]:
    """Around questions about a job: where the credentials are refused, the next one is asked with new ones."""
    try:
        yield
    except NotSignedIn as problem:
        aws.forget()
        what = problem.what.removesuffix(GOES_ON) + GOES_ON  # questions are asked within questions
        raise NotSignedIn(what, why=problem.why, fix=problem.fix) from problem


def described(aws: Aws, reference: Reference) -> Mapping[str, Any] | None:
    """What DescribeTrainingJob tells; None where there is no such job any more.

    Raises: `NotSignedIn` if these credentials are of another account, which would know no such job either.
    """
    with in_touch(aws), answers(f"SageMaker does not say how {reference.name} is"):
        client = aws.client("sagemaker", reference.region)
        try:
            told: Mapping[str, Any] = client.describe_training_job(TrainingJobName=reference.name)
        except ClientError as error:
            if is_not_found(error):
                _refuse_other_account(aws, reference)
                return None
            raise
    known_s = reference.created_s
    return told if known_s is None or abs(known_s - created_s(told)) <= ROUNDED_S else None


def need_described(aws: Aws, reference: Reference, *, max_age_s: float = 0) -> Mapping[str, Any]:
    """The same; raises `PlatformProblem` where the job is gone.

    Args:
        max_age_s: For a job that has ended: an answer of so many seconds ago will do.
    """
    known: Mapping[str, Any] | None = aws.remembered.get("told", str(reference), max_age_s=max_age_s)
    if known is not None:
        return known
    told = described(aws, reference)
    if told is None:
        what = f"SageMaker no longer knows the training job {reference.name}"
        raise PlatformProblem(what, why="it was deleted there", fix="ipymlops jobs platform:sagemaker")
    if state_of(told).is_final:
        aws.remembered.put("told", str(reference), answer=told)
    return told


def plan_of(aws: Aws, reference: Reference) -> Plan:
    """What runs there, read back; the request as far as a description repeats it."""
    told = need_described(aws, reference)
    machine, nodes = machine_of(aws, told)
    return Plan(
        platform="sagemaker",
        machine_type=machine.machine_type or None,
        accelerator=machine.accelerator,
        accelerator_count=machine.count,
        asked_count=machine.count,
        nodes=nodes,
        usd_per_hour=None if machine.usd_per_hour is None else machine.usd_per_hour * nodes,
        price_as_of=machine.as_of,
        is_estimate=machine.is_estimate,
        max_runtime_s=int(told.get("StoppingCondition", {}).get("MaxRuntimeInSeconds") or DEFAULT_MAX_RUNTIME_S),
        image=told.get("AlgorithmSpecification", {}).get("TrainingImage"),
        request={"CreateTrainingJob": _request(told)},
        notes=tuple(f"{name} = {value}" for name, value in told.get("HyperParameters", {}).items()),
    )


def job_of(aws: Aws, told: Mapping[str, Any], tags: Iterable[Mapping[str, str]] = ()) -> Job:
    """A description, or a row of Search, as a record of a job that is not ours."""
    labels = {tag["Key"]: tag.get("Value", "") for tag in tags}
    machine, nodes = machine_of(aws, told)
    created = utc(told["CreationTime"])
    assert created is not None  # noqa: S101 - every job has been created
    state = state_of(told)
    return Job(
        id=id_of(told),
        name=str(told["TrainingJobName"]),
        platform="sagemaker",
        created_at=created,
        state=state,
        detail=detail_of(told),
        end_reason=end_reason_of(told),
        exit_code=exit_code_of(told),
        started_at=utc(told.get("TrainingStartTime")),
        ended_at=utc(told.get("TrainingEndTime")),
        argv=words_of(told.get("HyperParameters", {})),
        machine_type=machine.machine_type or None,
        accelerator=machine.accelerator,
        accelerator_count=machine.count,
        nodes=nodes,
        usd_per_hour=None if machine.usd_per_hour is None else machine.usd_per_hour * nodes,
        commit=labels.get(COMMIT_TAG),
        labels={key: value for key, value in labels.items() if not key.startswith("ipymlops:")},
        metrics=metrics_of(told),
        url=url_of(read_reference(ref_of(told))),
        error=_error(told),
        ref=ref_of(told),
        max_runtime_s=told.get("StoppingCondition", {}).get("MaxRuntimeInSeconds"),
        billed_s=billed_s(told),
        kept_until=kept_until(told),
        is_ours=False,
    )


def id_of(told: Mapping[str, Any]) -> JobId:
    """The id that it was submitted with by us, from whatever machine; else one made of its name and creation."""
    ours = our_id(told)
    if ours:
        return ours
    text = f"{told['TrainingJobArn'].lower()}@{created_s(told)}"
    return JobId("x" + hashlib.sha256(text.encode()).hexdigest()[:15])


def our_id(told: Mapping[str, Any]) -> JobId | None:
    """The id of a job that we made, whose name ends with it; a copy has another name and what was ours inside."""
    ours = str((told.get("Environment") or {}).get("IPYMLOPS_JOB_ID", ""))
    is_named = f"-{told['TrainingJobName']}".endswith(f"-{ours}")
    return JobId(ours) if is_named and OUR_ID.fullmatch(ours) else None


def ref_of(told: Mapping[str, Any]) -> PlatformRef:
    """With the name as it was given, and the creation: names are free again once a job is deleted."""
    arn = read_reference(PlatformRef(told["TrainingJobArn"]))
    return replace(arn, name=told["TrainingJobName"], created_ms=created_s(told) * 1000).ref


def created_s(told: Mapping[str, Any]) -> int:
    """The second of its creation tells two jobs of one name apart; answers may round differently what is finer."""
    created: datetime = told["CreationTime"]
    return math.floor(created.timestamp())


def machine_of(aws: Aws, told: Mapping[str, Any]) -> tuple[Machine, int]:
    """The machine with the price that is known without asking, and how many of them."""
    resources = told.get("ResourceConfig") or {}
    groups = resources.get("InstanceGroups") or []
    kind = resources.get("SelectedInstanceType") or resources.get("InstanceType")
    if not kind and len({group["InstanceType"] for group in groups}) == 1:
        kind = groups[0]["InstanceType"]
    (priced,) = known_prices(aws, [machine_called(kind or "")])
    return priced, nodes_of(told)


def nodes_of(told: Mapping[str, Any]) -> int:
    resources = told.get("ResourceConfig") or {}
    groups = sum(int(group.get("InstanceCount", 0)) for group in resources.get("InstanceGroups") or ())
    return int(resources.get("SelectedInstanceCount") or resources.get("InstanceCount") or groups or 1)


def metrics_of(told: Mapping[str, Any]) -> dict[str, float]:
    rows = told.get("FinalMetricDataList") or []
    return {row["MetricName"]: float(row["Value"]) for row in rows if "MetricName" in row and "Value" in row}


def words_of(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Hyperparameters as the words that a script gets of them."""
    return tuple(word for key, value in sorted(parameters.items()) for word in (f"--{key}", _plain(value)))


def billed_s(told: Mapping[str, Any]) -> float | None:
    """Of the job, and of its machine while that waited for the next one, which is told once it no longer does."""
    idle_s = (told.get("WarmPoolStatus") or {}).get("ResourceRetainedBillableTimeInSeconds")
    known = [float(seconds) for seconds in (told.get("BillableTimeInSeconds"), idle_s) if seconds is not None]
    return sum(known) if known else None


def is_kept(told: Mapping[str, Any]) -> bool:
    """Whether the machine of a job that has ended waits for the next one, and is paid for."""
    return bool((told.get("WarmPoolStatus") or {}).get("Status") == "Available")


def kept_until(told: Mapping[str, Any]) -> datetime | None:
    """When it is let go at the latest; None where nothing is kept. A row of List does not tell for how long."""
    ended_at = utc(told.get("TrainingEndTime") or told.get("LastModifiedTime"))
    if ended_at is None or not is_kept(told):
        return None
    seconds = (told.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds") or KEPT_MOST_S
    return ended_at + timedelta(seconds=int(seconds))


def url_of(reference: Reference) -> str:
    """The job's page in the console."""
    host = CONSOLES.get(reference.partition, "console.aws.amazon.com")
    return f"https://{reference.region}.{host}/sagemaker/home?region={reference.region}#/jobs/{reference.name}"


def utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(timezone.utc)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _request(told: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a description that was in the request."""
    machines = told.get("ResourceConfig") or {}
    asked = {name: value for name, value in machines.items() if not name.startswith("Selected")}
    return {**{name: value for name, value in told.items() if name in ECHOED}, "ResourceConfig": asked}


def _plain(value: str) -> str:
    """A text that the vendor's SDK has wrapped in JSON once more is unwrapped."""
    if not value.startswith('"'):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, str) else value


def _error(told: Mapping[str, Any]) -> dict[str, Any] | None:
    reason = str(told.get("FailureReason") or "")
    if not reason:
        return None
    first, _, rest = reason.partition("\n")
    return {"what": first, "why": rest.strip(), "fix": ""}


def _refuse_other_account(aws: Aws, reference: Reference) -> None:
    account = aws.account()
    if reference.account and reference.account != account:
        raise NotSignedIn(
            f"the training job {reference.name} is in the account {reference.account}",
            why=f"these credentials are of the account {account}, which knows no such job",
            fix="sign in to that account, for example: export AWS_PROFILE=its-profile",
        )
