"""The CreateTrainingJob request of a job, and what its launcher is told. `--plan` shows what these functions make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipymlops.hardware.machines import Machine
from ipymlops.platforms.sagemaker.data import Data, channels_of, s3_channel
from ipymlops.platforms.sagemaker.forms import listed, volume_gib
from ipymlops.platforms.sagemaker.layout import INPUT_DIR, MIRROR_DIR, JobKeys, code_prefix, launcher_prefix, s3_uri
from ipymlops.platforms.sagemaker.names import COMMIT_TAG, JOB_TAG, tags_of, training_job_name
from ipymlops.platforms.submission import asked_of_launcher
from ipymlops.runtime.places.sagemaker_layout import (
    CHECKPOINTS,
    CODE_CHANNEL,
    CONFIG_CHANNEL,
    LAUNCHER_CHANNEL,
    OUTPUT,
    TENSORBOARD,
    node_folder,
)
from ipymlops.spec import JobId, JobSpec, Plan

COMMAND = ["-c", f"exec /bin/sh {INPUT_DIR}/{LAUNCHER_CHANNEL}/run.sh"]
SCRATCH = "/tmp/ipymlops"  # noqa: S108 - in the container, on its large disk
STOP_GRACE_S = 100
"""SageMaker kills 120 s after SIGTERM; the launcher needs the rest to say how it ended."""
SPOT_WAIT_S = 24 * 3600
LONGEST_S = 28 * 24 * 3600


@dataclass(frozen=True)
class Sent:
    """What is known of a job only when it is sent; in a plan, words in braces stand for it.

    Attributes: `launcher_sha256` is known in a plan too; `code_sha256` and `commit` are None where there is no code.
    """

    job_id: JobId
    job_name: str
    name: str
    launcher_sha256: str
    code_sha256: str | None
    commit: str | None
    submitted_at: float | None = None

    @classmethod
    def planned(cls, spec: JobSpec, launcher_sha256: str) -> Sent:
        sha256 = None if spec.no_code else "{sha256 of the code}"
        commit = None if spec.no_code else "{commit}"
        return cls(JobId("{job_id}"), "{job_name}", "{job_name}-{job_id}", launcher_sha256, sha256, commit)

    @classmethod
    def now(cls, job_id: JobId, job_name: str, **fields: Any) -> Sent:
        return cls(job_id, job_name, training_job_name(job_name, job_id), **fields)


@dataclass(frozen=True)
class Asked:
    """A job as far as it can be planned: the settings with those of its line, its data, machine and limits."""

    spec: JobSpec
    settings: Mapping[str, str]
    data: tuple[Data, ...]
    machine: Machine
    image: str | None
    max_runtime_s: int

    @property
    def bucket(self) -> str | None:
        return self.settings.get("bucket")


def training_job(asked: Asked, sent: Sent) -> dict[str, Any]:
    """The request; what no setting gives yet is None, and the job is then not sent."""
    keys, bucket = JobKeys(sent.job_id), asked.bucket or "{bucket}"
    request = {
        "TrainingJobName": sent.name,
        "RoleArn": asked.settings.get("role"),
        "AlgorithmSpecification": _algorithm(asked),
        "InputDataConfig": [*_our_channels(asked, sent, bucket), *channels_of(asked.data)],
        "OutputDataConfig": {"S3OutputPath": s3_uri(bucket, keys.root), **_key("KmsKeyId", asked.settings)},
        "ResourceConfig": _resources(asked),
        "StoppingCondition": _limits(asked),
        "EnableManagedSpotTraining": asked.spec.spot,
        "CheckpointConfig": {"S3Uri": s3_uri(bucket, keys.mirror), "LocalPath": MIRROR_DIR},
        "Environment": _environment(asked, sent),
        "ProfilerConfig": {"DisableProfiler": True},
        "VpcConfig": _network(asked.settings),
        "Tags": [*_our_tags(sent), *tags_of(asked.spec.labels)[0]],
    }
    return {name: value for name, value in request.items() if value not in ([], {}, False)}


def launch_config(
    asked: Asked, plan: Plan, sent: Sent, secrets: Mapping[str, Mapping[str, str | None]]
) -> dict[str, Any]:
    """What the launcher is told, besides what only the container knows (`runtime/places/sagemaker.py`)."""
    spec = asked.spec
    told = asked_of_launcher(spec, plan, job_id=sent.job_id, name=sent.job_name, commit=sent.commit)
    return told | {
        "place": "sagemaker",
        "region": asked.settings.get("region"),
        "submitted_at": sent.submitted_at,
        "archive": _archive(sent),
        "code_dir": f"{SCRATCH}/code",
        "secrets_from": {name: dict(where) for name, where in secrets.items()},
        "data": {one.name: one.path for one in asked.data},
        "data_dir": f"{SCRATCH}/data",
        "output_dir": f"{MIRROR_DIR}/{OUTPUT}",
        "tensorboard_dir": f"{MIRROR_DIR}/{TENSORBOARD}",
        "checkpoint_dir": f"{MIRROR_DIR}/{CHECKPOINTS}",
        "state_dir": f"{MIRROR_DIR}/{node_folder(0)}",
        "mirror": {"uri": s3_uri(asked.bucket or "{bucket}", JobKeys(sent.job_id).mirror), "dir": MIRROR_DIR},
        "log_path": None,
        "live_root": None,
        "stop_grace_s": STOP_GRACE_S,
        "attempt_policy": "again",
    }


def _archive(sent: Sent) -> dict[str, str] | None:
    if sent.code_sha256 is None:
        return None
    return {"path": f"{INPUT_DIR}/{CODE_CHANNEL}/code.tar", "sha256": sent.code_sha256}


def _algorithm(asked: Asked) -> dict[str, Any]:
    spec = asked.spec
    algorithm: dict[str, Any] = {"TrainingImage": asked.image, "TrainingInputMode": "File"}
    if not spec.no_code:
        return algorithm | {"ContainerEntrypoint": ["/bin/sh"], "ContainerArguments": list(COMMAND)}
    if spec.argv:
        algorithm["ContainerArguments"] = list(spec.argv)
    if spec.metrics:
        algorithm["MetricDefinitions"] = [{"Name": name, "Regex": pattern} for name, pattern in spec.metrics]
    return algorithm


def _our_channels(asked: Asked, sent: Sent, bucket: str) -> list[dict[str, Any]]:
    if asked.spec.no_code:
        return []
    key = asked.settings.get("kms_key")
    channels = [
        s3_channel(CONFIG_CHANNEL, s3_uri(bucket, JobKeys(sent.job_id).input)),
        s3_channel(LAUNCHER_CHANNEL, s3_uri(bucket, launcher_prefix(sent.launcher_sha256, key))),
    ]
    if sent.code_sha256 is not None:
        channels.append(s3_channel(CODE_CHANNEL, s3_uri(bucket, code_prefix(sent.code_sha256, key))))
    return channels


def _resources(asked: Asked) -> dict[str, Any]:
    spec, settings = asked.spec, asked.settings
    resources: dict[str, Any] = {
        "InstanceType": asked.machine.machine_type,
        "InstanceCount": spec.nodes,
        "VolumeSizeInGB": volume_gib(settings),
    }
    if not asked.machine.has_own_disk:
        resources |= _key("VolumeKmsKeyId", settings)
    if spec.keep_warm_s:
        resources["KeepAlivePeriodInSeconds"] = spec.keep_warm_s
    return resources


def _limits(asked: Asked) -> dict[str, int]:
    limits = {"MaxRuntimeInSeconds": asked.max_runtime_s}
    if asked.spec.spot:
        limits["MaxWaitTimeInSeconds"] = min(asked.max_runtime_s + SPOT_WAIT_S, max(LONGEST_S, asked.max_runtime_s))
    return limits


def _environment(asked: Asked, sent: Sent) -> dict[str, str]:
    """Everybody who may describe the job reads it: the user's own variables go with the launcher's configuration."""
    ours = {"IPYMLOPS_JOB_ID": sent.job_id, "PYTHONUNBUFFERED": "1"}
    if not asked.spec.no_code:
        return ours
    folders = {"OUTPUT_DIR": OUTPUT, "TENSORBOARD_DIR": TENSORBOARD, "CHECKPOINT_DIR": CHECKPOINTS}
    told = {f"IPYMLOPS_{name}": f"{MIRROR_DIR}/{folder}" for name, folder in folders.items()}
    return dict(asked.spec.env) | ours | told | {"IPYMLOPS_DATA_DIR": INPUT_DIR, "IPYMLOPS_PLATFORM": "sagemaker"}


def _network(settings: Mapping[str, str]) -> dict[str, list[str]]:
    subnets, groups = listed(settings, "subnets"), listed(settings, "security_groups")
    return {"Subnets": subnets, "SecurityGroupIds": groups} if subnets else {}


def _key(field: str, settings: Mapping[str, str]) -> dict[str, str]:
    return {field: settings["kms_key"]} if settings.get("kms_key") else {}


def _our_tags(sent: Sent) -> list[dict[str, str]]:
    tags = {JOB_TAG: sent.job_id, COMMIT_TAG: sent.commit}
    return [{"Key": key, "Value": value} for key, value in tags.items() if value]


def shown(asked: Asked, plan: Plan, sent: Sent, secrets: Mapping[str, Mapping[str, str | None]]) -> dict[str, Any]:
    """All as one document, for `--plan` and for leaving us: the request, the objects that it reads, and the settings.

    The settings stand there also for a submit that is repeated: a job goes where it was first sent, whatever they are
    by then.
    """
    request: dict[str, Any] = {"CreateTrainingJob": training_job(asked, sent), "settings": dict(asked.settings)}
    if not asked.spec.no_code:
        bucket, keys = asked.bucket or "{bucket}", JobKeys(sent.job_id)
        key = asked.settings.get("kms_key")
        objects = {
            s3_uri(bucket, keys.config): launch_config(asked, plan, sent, secrets),
            s3_uri(
                bucket, launcher_prefix(sent.launcher_sha256, key)
            ): "run.sh and launcher.pyz, of this version of ipymlops",
        }
        if sent.code_sha256 is not None:
            objects[s3_uri(bucket, f"{code_prefix(sent.code_sha256, key)}code.tar")] = "the snapshot"
        request["objects"] = objects
    return request
