"""Jobs as containers of this machine, through the Docker API, which Docker and Podman both speak."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from ipymlops.errors import Unreachable, UsageProblem
from ipymlops.job import JobState, JobStatus
from ipymlops.platforms import jobfiles
from ipymlops.platforms.abilities import Proposal, SetsUp
from ipymlops.platforms.base import Check
from ipymlops.platforms.data_paths import data_paths
from ipymlops.platforms.docker import container as containers
from ipymlops.platforms.docker.checks import docker_checks
from ipymlops.platforms.docker.engine import Address, engine, facts_of, find_engine
from ipymlops.platforms.docker.images import DEFAULT, image_of, local_id, present_id
from ipymlops.platforms.docker.living import look_at, stop_container
from ipymlops.platforms.docker.request import docker_run
from ipymlops.platforms.docker.shepherd import address_path, ensure_shepherd
from ipymlops.platforms.docker.start import start_once
from ipymlops.platforms.gpus_here import Chosen, chosen_gpus, gpus_of
from ipymlops.platforms.here import PlatformHere
from ipymlops.platforms.jobfolder import JobFolder, read_json, write_json
from ipymlops.platforms.processes import locked
from ipymlops.platforms.submission import STOP_GRACE_S, Submission
from ipymlops.spec import JobSpec, Plan


class DockerPlatform(PlatformHere, SetsUp):
    """A container engine of this machine."""

    name: ClassVar[str] = "docker"
    title: ClassVar[str] = "a container on this machine"
    settings: ClassVar[tuple[str, ...]] = ("image", STOP_GRACE_S)
    options: ClassVar[frozenset[str]] = frozenset(
        (
            *("script", "argv", "workdir", "python", "name", "gpu", "image", "no_code", "labels", "data", "env"),
            *("secrets", "metrics", "max_runtime_s", "max_cost_usd", "settings"),
        )
    )

    def plan(self, spec: JobSpec) -> Plan:
        self.refuse(spec)
        _refuse_without_launcher(spec)
        image = image_of(spec, self.settings_of(spec))
        gpus = chosen_gpus(spec.gpu, self.context.env)
        image_id, note = self._image_now(image)
        data = data_paths(self.name, spec.data, self.context.env)
        request = docker_run(spec, image, image_id, data, gpus)
        return self.plan_here(spec, gpus, request, image=image, notes=(note,))

    def preflight(self, spec: JobSpec, plan: Plan) -> None:  # noqa: ARG002 - whether the engine answers is all
        find_engine(self.context.env)

    def configure(self, new: JobFolder, submission: Submission, gpus: Chosen) -> None:  # noqa: ARG002 - asked of the engine
        spec, node = submission.spec, new.node(0)
        (node.root / "home").mkdir()
        if spec.no_code:  # its user is the image's own; the folder above them is closed to others here
            for path in (new.output, new.tensorboard, new.checkpoints, node.root / "state"):
                path.chmod(0o777)
            return
        data = containers.data_in_container(data_paths(self.name, spec.data, self.context.env), no_code=False)
        write_json(node.config, submission.launch_config(containers.ROOT, 0, data=data, env={}))

    def start(self, folder: JobFolder, submission: Submission, secrets: Callable[[], bytes]) -> None:
        with locked(folder.submit_lock):
            address = self._address(folder)
            with engine(address) as client:
                start_once(client, folder, lambda: self._create(client, folder, submission), secrets)
        ensure_shepherd(folder, self.context.env)

    def look(self, folder: JobFolder) -> JobStatus:
        status = look_at(folder)
        if status.state not in (JobState.QUEUED, JobState.UNKNOWN):
            ensure_shepherd(folder, self.context.env)
        # An image as built has no launcher to write the last values down.
        return status if status.metrics else replace(status, metrics=jobfiles.last_metrics(folder))

    def end(self, folder: JobFolder) -> None:
        if not self.look(folder).state.is_final:
            stop_container(folder)

    def proposals(self) -> Iterator[Proposal]:
        if not self.context.settings.get("image"):
            yield Proposal("image", DEFAULT, "a stock Python, for jobs that name no image")

    def checks(self, spec: JobSpec | None = None) -> Iterator[Check]:  # noqa: ARG002 - it rents no machine
        image = self.context.settings.get("image") or DEFAULT
        return docker_checks(self.context.home, self.context.env, image)

    def _image_now(self, image: str) -> tuple[str | None, str]:
        """The image's digest, None where it cannot be known yet, and a sentence about it."""
        try:
            with engine(find_engine(self.context.env)) as client:
                image_id = local_id(client, image)
        except Unreachable as problem:
            return None, f"{problem.what}: {problem.why}"
        if image_id is None:
            return None, f"the image {image} is not on this machine yet and will be fetched"
        return image_id, f"the image {image} is {image_id}"

    def _address(self, folder: JobFolder) -> Address:
        """The engine that the job was first given to; else the one that answers, from now on the job's."""
        known = read_json(address_path(folder))
        if known is not None:
            return known
        address = find_engine(self.context.env)
        write_json(address_path(folder), dict(address))
        return address

    def _create(self, client: Any, folder: JobFolder, submission: Submission) -> str:
        spec, plan = submission.spec, submission.plan
        wanted = containers.Wanted(
            job_id=submission.job_id,
            name=submission.name,
            image=present_id(client, plan.image or DEFAULT, (plan.request or {}).get("image_id")),
            spec=spec,
            plan=plan,
            data=data_paths(self.name, spec.data, self.context.env),
            gpus=Chosen(plan.accelerator, plan.accelerator_count, gpus_of(folder.root)),
            facts=facts_of(client),
        )
        return containers.create(client, folder, wanted)


def _refuse_without_launcher(spec: JobSpec) -> None:
    """An image that runs as built has nobody to receive a secret or to read the log."""
    if not spec.no_code:
        return
    if spec.script is not None:
        raise UsageProblem(
            f"--no-code sends no code, but a script was named: {spec.script}",
            why="what follows --no-code are the arguments of the image's own program",
            fix="leave --no-code out, or name no script",
        )
    asked = [flag for flag, value in (("--secret", spec.secrets), ("--metric", spec.metrics)) if value]
    if asked:
        raise UsageProblem(
            f"docker cannot honour {' and '.join(asked)} with --no-code; nothing was started",
            why="our launcher does that, and an image as built runs without it",
            fix=f"leave --no-code or {asked[0]} out",
        )
