"""One host of a training job: its `/opt/ml`, its container, its log stream."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker

from tests.servers.sagemaker_api.streams import StreamWriter

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.runner import Run

WARM_CACHE = "/opt/ml/sagemaker/warmpoolcache"
MOUNTED = ("input", "model", "output", "checkpoints", "sagemaker")
"""Below /opt/ml; what else an image has there, such as `code`, is seen."""
MADE = ("input/config", "input/data", "output/data", "output/tensorboard", "sagemaker/warmpoolcache")


@contextmanager
def host_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sm", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Host:
    """`algo-NUMBER`."""

    def __init__(self, run: Run, folder: Path, number: int) -> None:
        self.run, self.number, self.name = run, number, f"algo-{number}"
        self.ml = folder / self.name
        self.exit_code: int | None = None
        self._writer = StreamWriter(run.api, run.job, self.name)
        self._container: Any = None
        self._threads: list[threading.Thread] = []
        for below in (*self._mounted(), *MADE):
            (self.ml / below).mkdir(parents=True, exist_ok=True)
        self._describe()

    @property
    def has_ended(self) -> bool:
        return self.exit_code is not None

    @property
    def has_said_something(self) -> bool:
        return self._writer.has_lines

    def start(self) -> None:
        api, request = self.run.runner.client.api, self.run.job.request
        algorithm = request["AlgorithmSpecification"]
        entrypoint, words = algorithm.get("ContainerEntrypoint"), algorithm.get("ContainerArguments")
        command = words if words or entrypoint else ["train"]
        image = self.run.api.local_image(algorithm["TrainingImage"])
        names = [f"algo-{number}" for number in range(1, len(self.run.hosts) + 1)]
        config = api.create_host_config(
            binds={str(self.ml / name): {"bind": f"/opt/ml/{name}", "mode": "rw"} for name in self._mounted()},
            network_mode="host",
            extra_hosts=dict.fromkeys(names, "127.0.0.1"),
        )
        self._container = api.create_container(
            image, command=command, entrypoint=entrypoint, environment=self._environment(), host_config=config
        )["Id"]
        output = api.attach(self._container, stdout=True, stderr=True, stream=True, logs=True)
        api.start(self._container)
        self._begin(lambda: self._read(output))
        self._begin(self._await)

    def signal(self, name: str) -> None:
        with suppress(docker.errors.APIError):  # it has ended meanwhile
            self.run.runner.client.api.kill(self._container, name)

    def finish(self) -> None:
        """Once it has ended: everything it said is written."""
        for thread in self._threads:
            thread.join(60)
        self._writer.close()
        self.remove()

    def remove(self) -> None:
        if self._container is not None:
            self.run.runner.client.api.remove_container(self._container, force=True)
            self._container = None

    def _begin(self, work: Any) -> None:
        thread = threading.Thread(target=work, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _read(self, output: Iterator[bytes]) -> None:
        for piece in output:
            self._writer.feed(piece)

    def _await(self) -> None:
        try:
            self.exit_code = int(self.run.runner.client.api.wait(self._container, timeout=3600)["StatusCode"])
        except docker.errors.APIError:
            self.exit_code = 137  # removed by force

    def _mounted(self) -> set[str]:
        """The folders of /opt/ml that are the service's, with those the request mirrors."""
        mirrored = (self.run.job.request.get(name, {}) for name in ("CheckpointConfig", "TensorBoardOutputConfig"))
        local = {Path(one["LocalPath"]).relative_to("/opt/ml").parts[0] for one in mirrored if "LocalPath" in one}
        return {*MOUNTED, *local}

    def _environment(self) -> dict[str, str]:
        job, api = self.run.job, self.run.api
        ours = {
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": job.arn,
            "AWS_REGION": job.region,
            "AWS_DEFAULT_REGION": job.region,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": self.run.runner.role.url,
            # In reality the container reaches the real services: this stands for them.
            "AWS_ENDPOINT_URL": api.url,
        }
        if job.request["ResourceConfig"].get("KeepAlivePeriodInSeconds"):
            ours["SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY"] = WARM_CACHE
        return {**job.request.get("Environment", {}), **ours}

    def _describe(self) -> None:
        request = self.run.job.request
        count, kind = request["ResourceConfig"]["InstanceCount"], request["ResourceConfig"]["InstanceType"]
        hosts = sorted(f"algo-{number}" for number in range(1, count + 1))
        channels = {one["ChannelName"]: _channel(one) for one in request.get("InputDataConfig", ())}
        files = {
            "hyperparameters": request.get("HyperParameters", {}),
            "inputdataconfig": channels,
            "resourceconfig": {
                "current_host": self.name,
                "current_instance_type": kind,
                "current_group_name": "homogeneousCluster",
                "hosts": hosts,
                "instance_groups": [
                    {"instance_group_name": "homogeneousCluster", "instance_type": kind, "hosts": hosts}
                ],
                "network_interface_name": "eth0",
            },
        }
        for name, content in files.items():
            (self.ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content))


def _channel(channel: dict[str, Any]) -> dict[str, str]:
    source = channel["DataSource"].get("S3DataSource", {})
    return {
        "TrainingInputMode": "File",  # FastFile shows as File
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": "None",
    }
