"""What a job's container is made of: mounts, command, user, variables."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ipymlops.platforms.docker.engine import EngineFacts, sdk
from ipymlops.platforms.gpus_here import Chosen
from ipymlops.platforms.jobfolder import JobFolder
from ipymlops.spec import JobId, JobSpec, Plan

ROOT = PurePosixPath("/ipymlops/job")
DATA = PurePosixPath("/ipymlops/data")
OPEN = PurePosixPath("/ipymlops")
"""Where an image that runs as built finds its folders."""
SHARED_MEMORY_BYTES = 2 * 1024**3
"""A limit, not a reservation. The engines' 64 MB end a data loader with a bus error."""
BOOT = (
    "p=$(command -v python3 || command -v python) || "
    '{ echo "this image has neither python3 nor python" >&2; exit 127; }; exec "$p" -I -S "$@"'
)


@dataclass(frozen=True)
class Wanted:
    """One container, before it is one.

    Attributes:
        image: The image's id: exactly the one that was planned.
        data: Where each of the data is on this machine.
    """

    job_id: JobId
    name: str
    image: str
    spec: JobSpec
    plan: Plan
    data: Mapping[str, Path]
    gpus: Chosen
    facts: EngineFacts


def container_name(job_id: str) -> str:
    return f"ipymlops-{job_id}"


def data_in_container(data: Mapping[str, Path], *, no_code: bool) -> dict[str, PurePosixPath]:
    """Where the container sees the data: by number, or below the data folder of an image that runs as built."""
    return {name: DATA / (name if no_code else str(number)) for number, name in enumerate(data)}


def create(client: Any, folder: JobFolder, wanted: Wanted) -> str:
    """Make the container, not started; returns its id."""
    made = client.api.create_container(
        wanted.image,
        name=container_name(wanted.job_id),
        labels=_labels(wanted),
        stdin_open=bool(wanted.spec.secrets),
        host_config=client.api.create_host_config(**_host_config(folder, wanted)),
        **(_as_built(wanted) if wanted.spec.no_code else _coded(folder, wanted)),
    )
    return str(made["Id"])


def _coded(folder: JobFolder, wanted: Wanted) -> dict[str, Any]:
    node = ROOT / "nodes" / "0"
    words = {
        "entrypoint": ["/bin/sh", "-c", BOOT, "ipymlops"],
        "command": [str(ROOT / folder.launcher.name), str(node / "config.json")],
        "working_dir": "/",
    }
    uid, gid = os.getuid(), os.getgid()
    if wanted.facts.is_rootless or uid == 0:
        return words  # root in the container is the caller outside, or the caller is root
    # Files are the caller's own. Nobody of that number is known in the image, so it has no home and no name there.
    home = {"HOME": str(node / "home"), "USER": "ipymlops", "LOGNAME": "ipymlops"}
    return words | {"user": f"{uid}:{gid}", "environment": home}


def _as_built(wanted: Wanted) -> dict[str, Any]:
    spec = wanted.spec
    promised = {
        "JOB_ID": wanted.job_id,
        "JOB_NAME": wanted.name,
        "PLATFORM": "docker",
        "COMMIT": "",
        "DATA_DIR": str(DATA),
        "OUTPUT_DIR": str(OPEN / "output"),
        "TENSORBOARD_DIR": str(OPEN / "tensorboard"),
        "CHECKPOINT_DIR": str(OPEN / "checkpoints"),
        "METRICS_FILE": str(OPEN / "state" / "metrics.jsonl"),
        "NODE_RANK": "0",
        "NODES": "1",
        "MAIN_ADDRESS": "127.0.0.1",
        "DEADLINE": str(int(time.time() + wanted.plan.max_runtime_s)),  # before the start: never later than the end
    }
    env = dict(spec.env) | {f"IPYMLOPS_{name}": value for name, value in promised.items()}
    return {"command": list(spec.argv), "environment": env}


def _host_config(folder: JobFolder, wanted: Wanted) -> dict[str, Any]:
    docker, facts = sdk(), wanted.facts
    config: dict[str, Any] = {"mounts": _mounts(folder, wanted), "shm_size": SHARED_MEMORY_BYTES}
    if facts.has_selinux:
        config["security_opt"] = ["label=disable"]  # else it may not read what it is given
    # The log is read back to its first byte: no driver that keeps none, and no rotation.
    kind, limits = ("k8s-file", {}) if facts.is_podman else ("json-file", {"max-size": "1024t"})
    config["log_config"] = docker.types.LogConfig(type=kind, config=limits)
    if wanted.gpus.count and facts.is_podman:
        config["devices"] = [f"nvidia.com/gpu={index}" for index in wanted.gpus.indexes]
    elif wanted.gpus.count:
        ids = [str(index) for index in wanted.gpus.indexes]
        config["device_requests"] = [docker.types.DeviceRequest(device_ids=ids, capabilities=[["gpu"]])]
    return config


def _mounts(folder: JobFolder, wanted: Wanted) -> list[Any]:
    """A container that runs our launcher reads the job's folder and writes only where it must."""
    seen = data_in_container(wanted.data, no_code=wanted.spec.no_code)
    data = [_mount(seen[name], path, is_read_only=True) for name, path in wanted.data.items()]
    below = [folder.output, folder.tensorboard, folder.checkpoints]
    if wanted.spec.no_code:
        return [*(_mount(OPEN / path.name, path) for path in (*below, folder.node(0).root / "state")), *data]
    written = [*below, folder.node(0).root]
    return [
        _mount(ROOT, folder.root, is_read_only=True),
        *(_mount(ROOT / path.relative_to(folder.root), path) for path in written),
        *data,
    ]


def _mount(target: PurePosixPath, source: Path, *, is_read_only: bool = False) -> Any:
    return sdk().types.Mount(str(target), str(source), type="bind", read_only=is_read_only)


def _labels(wanted: Wanted) -> dict[str, str]:
    users = {f"ipymlops.label.{name}": value for name, value in wanted.spec.labels}
    return users | {"ipymlops.job": wanted.job_id, "ipymlops.name": wanted.name}
