"""The calls about training jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tests.servers.sagemaker_api.answers import ConnectionCut, ServiceError, invalid
from tests.servers.sagemaker_api.asked import Asked
from tests.servers.sagemaker_api.describing import as_of, described
from tests.servers.sagemaker_api.listing import listed
from tests.servers.sagemaker_api.record import TrainingJobRecord
from tests.servers.sagemaker_api.rules import broken_rules
from tests.servers.sagemaker_api.searching import found

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

MOST_TAGS = 50
ALIKE = (
    *("RoleArn", "InstanceType", "InstanceCount", "VolumeSizeInGB", "VolumeKmsKeyId", "VpcConfig"),
    *("EnableInterContainerTrafficEncryption", "EnableNetworkIsolation"),
)
"""What a job and the one before it must have in common for its machines."""
NOT_FOUND = "Requested resource not found."
Told = Mapping[str, Any]


class TrainingJobs:
    """One method a call, named after it; `answer` finds it. `None` is an empty answer."""

    def __init__(self, api: SageMakerApi) -> None:
        self.api = api
        self.actions = {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": lambda asked: described(self._job(asked)),
            "ListTrainingJobs": self.list,
            "Search": self.search,
            "StopTrainingJob": self.stop,
            "DeleteTrainingJob": self.delete,
            "UpdateTrainingJob": self.update,
            "AddTags": self.add_tags,
            "ListTags": self.list_tags,
            "DeleteTags": self.delete_tags,
        }

    def create(self, asked: Asked) -> dict[str, Any]:
        faults, told = self.api.faults, asked.input
        if faults.take("create_500_before"):
            raise ServiceError("InternalFailure", "The service had a problem.", 500)
        for text in broken_rules(told, asked.region, self.api.account):
            raise invalid(text)
        self._check_quota(told, asked.region)
        job = self._made(told, asked.region)
        self.api.runner.start(job)
        if faults.take("create_reply_lost"):
            raise ConnectionCut
        if faults.take("resource_limit_after_own_first"):
            self.api.quota_holders.append(job)
            raise ConnectionCut
        if faults.take("create_500_after"):
            raise ServiceError("InternalFailure", "The service had a problem.", 500)
        return {"TrainingJobArn": job.arn}

    def _made(self, told: Told, region: str) -> TrainingJobRecord:
        tags = {tag["Key"]: tag["Value"] for tag in told.get("Tags", [])}
        request = {name: value for name, value in told.items() if name != "Tags"}
        job = TrainingJobRecord(request, region, self.api.account, self.api.now, tags)
        with self.api.guard:
            there = self.api.jobs.get((region, job.name))
            if there is not None and not there.is_deleted:
                raise ServiceError(
                    "ResourceInUse",
                    "Training job names must be unique within an AWS account and region, and a training job with this "
                    f"name already exists ({there.arn})",
                )
            self.api.jobs[region, job.name] = job
        if job.kept_s:
            self._reuse(job)
        return job

    def _reuse(self, job: TrainingJobRecord) -> None:
        """Machines that are kept go to the next job that asks for the same and keeps them on."""
        for other in self.api.all_jobs(job.region):
            if other.is_kept and all(_same(other, job, name) for name in ALIKE):
                other.let_go_at, other.reused_by = job.now(), job.name
                return

    def _check_quota(self, told: Told, region: str) -> None:
        machines, faults = told.get("ResourceConfig", {}), self.api.faults
        first = machines.get("InstancePreferences", [{}])[0]
        kind = machines.get("InstanceType") or first.get("InstanceType", "")
        asked, word = int(machines.get("InstanceCount") or 1), "spot training" if _is_spot(told) else "training"
        quota, used = f"{kind} for {word} job usage", self._used(kind, region, is_spot=_is_spot(told))
        if any(not holder.is_final for holder in self.api.quota_holders):
            raise _limit_exceeded(quota, 1, 1, asked)
        with self.api.guard:
            if faults.take("resource_limit"):
                raise _limit_exceeded(quota, 0, 0, asked)
        limit = int(self.api.quotas.limit(quota))
        if faults.enforce_quotas and used + asked > limit:
            raise _limit_exceeded(quota, limit, used, asked)

    def _used(self, kind: str, region: str, *, is_spot: bool) -> int:
        live = [job for job in self.api.all_jobs(region) if not job.is_final and _is_spot(job.request) == is_spot]
        machines = [job.request.get("ResourceConfig", {}) for job in live]
        return sum(int(one.get("InstanceCount", 1)) for one in machines if one.get("InstanceType") == kind)

    def list(self, asked: Asked) -> dict[str, Any]:
        self.api.rate.take(asked.region, self.api.faults.list_rate_per_s)
        answer = listed(self.api.all_jobs(asked.region), asked.input, self.api.pages)
        off_s = self.api.faults.list_times_off_s
        for row in answer["TrainingJobSummaries"] if off_s else ():
            row |= {name: value + off_s for name, value in row.items() if name.endswith("Time")}
        return answer

    def search(self, asked: Asked) -> dict[str, Any]:
        self.api.rate.take(asked.region, self.api.faults.list_rate_per_s)
        return found(self._indexed(asked.region), asked.input, self.api.pages)

    def _indexed(self, region: str) -> Iterable[TrainingJobRecord]:
        lag = self.api.faults.search_lag_s
        if not lag:
            return self.api.all_jobs(region)
        then = self.api.now() - lag
        ever = [
            *self.api.all_jobs(region),
            *(job for job, at in self.api.deleted if at > then and job.region == region),
        ]
        return [past for past in (as_of(job, then) for job in ever) if past is not None]

    def stop(self, asked: Asked) -> None:
        job = self._job(asked)
        if not job.ask_to_stop():
            raise invalid(
                "The request was rejected because the training job is in status "
                f"{job.status}. It can be stopped only in status InProgress."
            )
        self.api.runner.stop(job)

    def delete(self, asked: Asked) -> None:
        job = self._job(asked)
        if not job.is_final:
            raise ServiceError("ResourceInUse", f"Training job {job.name} is in status {job.status}: stop it first.")
        if job.is_kept:
            raise ServiceError("ResourceInUse", f"Training job {job.name} has an available warm pool: end that first.")
        with self.api.guard:
            job.is_deleted = True
            self.api.deleted.append((job, self.api.now()))
            del self.api.jobs[job.region, job.name]

    def update(self, asked: Asked) -> dict[str, Any]:
        job = self._job(asked)
        changes = {name: value for name, value in asked.input.items() if name != "TrainingJobName"}
        with job.changed:
            if "ResourceConfig" in changes:
                self._keep(job, changes["ResourceConfig"]["KeepAlivePeriodInSeconds"])
            request = dict(job.request)
            for name, value in changes.items():
                request[name] = {**request.get(name, {}), **value} if isinstance(value, dict) else value
            job.request, job.modified_at = request, job.now()
        return {"TrainingJobArn": job.arn}

    def _keep(self, job: TrainingJobRecord, seconds: int) -> None:
        """Only machines that wait for a job can be kept for longer, or let go with 0."""
        if not job.is_kept:
            status = (job.pool or {}).get("Status", "none")
            raise invalid(f"The warm pool of training job {job.name} cannot be updated: its status is {status}.")
        if not seconds:
            job.let_go_at = job.now()

    def add_tags(self, asked: Asked) -> dict[str, Any]:
        job, tags = self._of_arn(asked), {tag["Key"]: tag["Value"] for tag in asked.input["Tags"]}
        if any(key.lower().startswith("aws:") for key in tags):
            raise invalid("aws: prefixed tag keys are reserved for AWS use.")
        with job.changed:
            if len(job.tags | tags) > MOST_TAGS:
                raise ServiceError("ResourceLimitExceeded", f"A resource has at most {MOST_TAGS} tags.")
            job.tags, job.modified_at = job.tags | tags, job.now()
            return {"Tags": _as_tags(job.tags)}

    def list_tags(self, asked: Asked) -> dict[str, Any]:
        return {"Tags": _as_tags(self._of_arn(asked).tags)}

    def delete_tags(self, asked: Asked) -> dict[str, Any]:
        job = self._of_arn(asked)
        with job.changed:
            gone = set(asked.input["TagKeys"])
            job.tags = {key: value for key, value in job.tags.items() if key not in gone}
            job.modified_at = job.now()
        return {}

    def _job(self, asked: Asked) -> TrainingJobRecord:
        job = self.api.jobs.get((asked.region, asked.input["TrainingJobName"]))
        if job is None:
            raise invalid(NOT_FOUND)
        return job

    def _of_arn(self, asked: Asked) -> TrainingJobRecord:
        """By its ARN, whose name may be in lower case."""
        arn = asked.input["ResourceArn"].lower()
        job = self.api.jobs.get((asked.region, asked.input["ResourceArn"].rpartition("/")[2]))
        for one in [job] if job is not None else self.api.all_jobs(asked.region):
            if one.arn.lower() == arn:
                return one
        raise invalid(NOT_FOUND)


def _same(one: TrainingJobRecord, other: TrainingJobRecord, name: str) -> bool:
    first, second = (job.request.get("ResourceConfig", {}).get(name, job.request.get(name)) for job in (one, other))
    return bool(first == second)


def _is_spot(told: Told) -> bool:
    return bool(told.get("EnableManagedSpotTraining"))


def _limit_exceeded(quota: str, limit: int, used: int, asked: int) -> ServiceError:
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit '{quota}' is {limit} Instances, with current utilization of {used} Instances "
        f"and a request delta of {asked} Instances. Please use AWS Service Quotas to request an increase for this quota. "
        "If AWS Service Quotas is not available, contact AWS support to request an increase for this quota.",
    )


def _as_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
