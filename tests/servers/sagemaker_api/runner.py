"""Jobs that really run: each host of a training job is a container of a real engine."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import docker

from tests.servers.sagemaker_api.containers import Host, host_folder
from tests.servers.sagemaker_api.downloads import Missing, download_channels
from tests.servers.sagemaker_api.mirror import Mirrored
from tests.servers.sagemaker_api.record import TrainingJobRecord
from tests.servers.sagemaker_api.role import RoleServer
from tests.servers.sagemaker_api.scripted import CAPACITY
from tests.servers.sagemaker_api.uploads import upload_archives

if TYPE_CHECKING:
    from tests.servers.sagemaker_api.server import SageMakerApi

TURN_S = 0.02
FAILURE_CHARACTERS = 1024


class Runner:
    """Runs each job in a thread of its own; `reset` ends them all."""

    def __init__(self, api: SageMakerApi) -> None:
        assert api.engine is not None
        self.api = api
        self.client = docker.DockerClient(base_url=api.engine.host, timeout=120)
        self.role = RoleServer(api)
        self._runs: list[Run] = []

    def start(self, job: TrainingJobRecord) -> None:
        run = Run(self, job)
        self._runs.append(run)
        run.thread.start()

    def stop(self, job: TrainingJobRecord) -> None:
        """The run sees `stop_asked` at its next turn."""

    def reset(self) -> None:
        for run in self._runs:
            run.is_abandoned.set()
        for run in self._runs:
            run.thread.join(60)
            assert not run.thread.is_alive(), f"{run.job.name} does not end"
        self._runs.clear()


class Run:
    """One job from its machines to its end."""

    def __init__(self, runner: Runner, job: TrainingJobRecord) -> None:
        self.runner, self.api, self.job = runner, runner.api, job
        self.is_abandoned = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"job {job.name}", daemon=True)
        self.hosts: list[Host] = []
        self.mirror: Mirrored | None = None

    @property
    def is_to_end(self) -> bool:
        return self.is_abandoned.is_set() or self.job.stop_asked.is_set()

    def _run(self) -> None:
        try:
            self._attempts()
        except Missing as problem:
            self.job.finish("Failed", reason=f"ClientError: {problem}")
        except docker.errors.ImageNotFound as problem:
            self.job.finish("Failed", reason=f"ClientError: Cannot pull the image: {problem.explanation}")
        except Exception as problem:  # noqa: BLE001 - the service's own trouble
            if not self.is_abandoned.is_set():
                self.job.finish("Failed", reason=f"InternalServerError: {problem!r}")
        finally:
            for host in self.hosts:
                with suppress(docker.errors.APIError):
                    host.remove()

    def _attempts(self) -> None:
        if self.api.faults.take("capacity_error"):
            self.job.transition("Pending")
            self.job.finish("Failed", reason=CAPACITY)
            return
        while not self._attempt():
            self.job.transition("Interrupted")
            self.job.transition("Starting")

    def _attempt(self) -> bool:
        """One start on fresh machines; False if they were taken away."""
        self.job.attempts += 1
        with host_folder() as folder:
            self.job.transition("Downloading")
            self.hosts = [Host(self, folder, number) for number in range(1, self._count() + 1)]
            for host in self.hosts:
                download_channels(self.api, self.job, host.ml / "input" / "data", host.number, len(self.hosts))
            self.mirror = Mirrored(self.api, self.job, [host.ml for host in self.hosts])
            self.mirror.restore()
            if self.is_to_end:
                self.job.finish("Stopped")
                return True
            self.job.transition("Training")
            for host in self.hosts:
                host.start()
            is_taken = self._watch()
            self._end_hosts()
            self.mirror.flush(is_last=True)
            for host in self.hosts:
                host.finish()
            if is_taken:
                return False
            self._finish()
            return True

    def _count(self) -> int:
        return int(self.job.request["ResourceConfig"]["InstanceCount"])

    def _watch(self) -> bool:
        """Until the containers have ended, or have to; True if the machines were taken away."""
        assert self.mirror is not None
        while not all(host.has_ended for host in self.hosts):
            self.mirror.flush()
            if self._is_reclaimed():
                for host in self.hosts:
                    host.signal("SIGKILL")
                return True
            if self.is_to_end or self._is_over_time or any(host.exit_code for host in self.hosts):
                return False
            self.job.stop_asked.wait(TURN_S)
        return False

    def _is_reclaimed(self) -> bool:
        is_spot = self.job.request.get("EnableManagedSpotTraining")
        has_begun = all(host.has_said_something for host in self.hosts)
        return bool(is_spot and has_begun and self.api.faults.take("spot_interruptions"))

    @property
    def _is_over_time(self) -> bool:
        started_at = self.job.training_started_at or self.job.now()
        return self.job.now() - started_at >= self.job.request["StoppingCondition"]["MaxRuntimeInSeconds"]

    def _end_hosts(self) -> None:
        """SIGTERM to the first process of each, its grace, SIGKILL; the mirror goes on meanwhile."""
        assert self.mirror is not None
        left = [host for host in self.hosts if not host.has_ended]
        for host in left:
            host.signal("SIGTERM")
        waited_s = 0.0
        while not all(host.has_ended for host in left):
            self.mirror.flush()
            threading.Event().wait(TURN_S)
            waited_s += TURN_S
            if waited_s >= self.api.stop_grace_s or self.is_abandoned.is_set():
                for host in left:
                    host.signal("SIGKILL")

    def _finish(self) -> None:
        self.job.transition("Uploading")
        upload_archives(self.api, self.job, self.hosts)
        failed = next((host for host in self.hosts if host.exit_code), None)
        if self.job.stop_asked.is_set():
            self.job.finish("Stopped")
        elif self._is_over_time:
            self.job.finish("Stopped", "MaxRuntimeExceeded")
        elif failed:
            self.job.finish("Failed", reason=_reason(self.hosts, failed))
        else:
            self.job.finish("Completed")


def _reason(hosts: list[Host], failed: Host) -> str:
    """The failure file's first characters, and the exit code of the first that failed by itself."""
    by_itself = next((host for host in hosts if host.exit_code not in (0, 137, 143)), failed)
    path = by_itself.ml / "output" / "failure"
    text = path.read_text(errors="replace")[:FAILURE_CHARACTERS] if path.exists() else ""
    return f"AlgorithmError: {text}, exit code: {by_itself.exit_code}"
