"""What an account has before the first test: roles, buckets, images; and many jobs of other tools."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from moto.ecr.models import ecr_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

from tests.servers.sagemaker_api.layers import DOCKER_V2
from tests.servers.sagemaker_api.record import MESSAGES, TrainingJobRecord, Transition

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.sagemaker_api.server import SageMakerApi

OCI = "application/vnd.oci.image.manifest.v1+json"
OTHER_ACCOUNT = "999999999999"
VENDOR = "763104351884"
VENDOR_TAGS = {
    "pytorch": (
        "2.13-cu133-amzn2023-sagemaker",
        "2.13-cpu-amzn2023-sagemaker",
        "2.12-cu130-amzn2023-sagemaker",
        "2.11-cu130-amzn2023-sagemaker",
    ),
    "pytorch-training": ("2.10.0-gpu-py313-cu130-ubuntu22.04-sagemaker",),
}
"""Deep learning containers, in every region that is seeded."""
REGIONS = ("us-east-1", "eu-central-1")
HOUR_S = 3600.0
_MACHINES = ("ml.m5.large", "ml.g5.xlarge", "ml.g6.12xlarge", "ml.p4d.24xlarge")
_ENDS = ("Completed", "Completed", "Completed", "Failed", "Stopped")
_TEAMS = ("vision", "speech", "search", "ads")


def seed(api: SageMakerApi) -> None:
    """Empty all that moto keeps and make the account anew."""
    BackendDict.reset()
    reset_model_data()
    iam = iam_backends[api.account]["aws"]
    for arn, service in ((api.role, {"Service": "sagemaker.amazonaws.com"}), (api.developer, {"AWS": api.account})):
        path, _, name = arn.partition(":role")[2].rpartition("/")
        statement = {"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.create_role(name, trust, f"{path}/", None, "", [], None)
    buckets = s3_backends[api.account]["aws"]
    buckets.create_bucket(api.bucket, REGIONS[0])
    buckets.create_bucket(api.other_bucket, REGIONS[1])
    s3_backends[OTHER_ACCOUNT]["aws"].create_bucket(api.foreign_bucket, REGIONS[0])
    for region in REGIONS:
        _put_images(api, api.account, region, "python", {"1": DOCKER_V2, "oci": OCI})
        for repository, tags in VENDOR_TAGS.items():
            _put_images(api, VENDOR, region, repository, dict.fromkeys(tags, DOCKER_V2))


def digest_of(repository: str, tag: str) -> str:
    return "sha256:" + hashlib.sha256(f"{repository}:{tag}".encode()).hexdigest()


def _put_images(api: SageMakerApi, account: str, region: str, repository: str, tags: dict[str, str]) -> None:
    ecr = ecr_backends[account][region]
    ecr.create_repository(repository, account, {}, {}, "MUTABLE", [])
    for tag, media_type in tags.items():
        manifest = api.layers.manifest(f"{repository}:{tag}", "amd64", media_type)
        ecr.put_image(repository, manifest, tag, media_type, digest_of(repository, tag))


def old_jobs(count: int, region: str, account: str, now: Callable[[], float]) -> list[TrainingJobRecord]:
    """Finished jobs of other tools, a few minutes apart; the last one ended more than an hour ago."""
    newest = now() - 2 * HOUR_S
    return [_old_job(number, newest - 300.0 * (count - 1 - number), region, account, now) for number in range(count)]


def _old_job(number: int, created: float, region: str, account: str, now: Callable[[], float]) -> TrainingJobRecord:
    status, team = _ENDS[number % len(_ENDS)], _TEAMS[number % len(_TEAMS)]
    name = f"{team}-resnet-{number:06d}-2026-01-01-00-00-00-{number % 997:03d}"
    started, ended = created + 120, created + 120 + 60 * (1 + number % 50)
    marks = [("Starting", created), ("Downloading", started), ("Training", started + 60), (status, ended)]
    ends = [at for _, at in marks[1:]] + [ended]
    job = TrainingJobRecord(_old_request(number, name, region, account), region, account, now, {"team": team})
    job.transitions = [
        Transition(state, at, MESSAGES[state], end) for (state, at), end in zip(marks, ends, strict=True)
    ]
    job.status = job.secondary = status
    job.created_at, job.modified_at, job.training_started_at, job.training_ended_at = created, ended, started, ended
    job.billable_s = int(ended - started)
    if status == "Failed":
        job.failure_reason = "AlgorithmError: ExecuteUserScriptError: exit code: 1"
    if status == "Completed":
        job.metrics = [("val_loss", 1.0 / (1 + number % 90), ended)]
    return job


def _old_request(number: int, name: str, region: str, account: str) -> dict[str, Any]:
    bucket = f"sagemaker-{region}-{account}"
    return {
        "TrainingJobName": name,
        "RoleArn": f"arn:aws:iam::{account}:role/OtherTeam",
        "AlgorithmSpecification": {
            "TrainingImage": f"{VENDOR}.dkr.ecr.{region}.amazonaws.com/pytorch:2.12-cu130-amzn2023-sagemaker",
            "TrainingInputMode": "File",
        },
        "HyperParameters": {"lr": f"{0.001 * (1 + number % 7):g}", "epochs": str(1 + number % 90), "note": "größer"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/out"},
        "ResourceConfig": {
            "InstanceType": _MACHINES[number % len(_MACHINES)],
            "InstanceCount": 1 + number % 3,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }
