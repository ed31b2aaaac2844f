"""Jobs as processes of this machine: in a session and a folder of their own, never in the user's tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar

from ipymlops.job import JobState, JobStatus
from ipymlops.platforms import jobfiles
from ipymlops.platforms.base import Check
from ipymlops.platforms.data_paths import data_paths
from ipymlops.platforms.gpus_here import Chosen, chosen_gpus
from ipymlops.platforms.here import PlatformHere
from ipymlops.platforms.jobfolder import JobFolder, write_json
from ipymlops.platforms.jobstate import joined
from ipymlops.platforms.local.checks import local_checks
from ipymlops.platforms.local.interpreter import interpreter, refuse_old
from ipymlops.platforms.local.nodes import launch, node_statuses, stop_living, waiting
from ipymlops.platforms.submission import STOP_GRACE_S, Submission
from ipymlops.spec import JobSpec, Plan, PlatformRef


class LocalPlatform(PlatformHere):
    """This machine."""

    name: ClassVar[str] = "local"
    title: ClassVar[str] = "this machine"
    settings: ClassVar[tuple[str, ...]] = (STOP_GRACE_S,)
    options: ClassVar[frozenset[str]] = frozenset(
        (
            *("script", "argv", "workdir", "python", "name", "gpu", "nodes", "labels", "data", "env", "secrets"),
            *("metrics", "max_runtime_s", "max_cost_usd", "settings"),
        )
    )

    def plan(self, spec: JobSpec) -> Plan:
        self.refuse(spec)
        python = interpreter(spec, self.context.env)
        gpus = chosen_gpus(spec.gpu, self.context.env, nodes=spec.nodes)
        request = {
            "command": list(spec.command(python)),
            "cwd": spec.workdir,
            "env": dict(spec.env),
            "nodes": spec.nodes,
        }
        return self.plan_here(spec, gpus, request)

    def preflight(self, spec: JobSpec, plan: Plan) -> None:  # noqa: ARG002 - nothing of the plan can have gone
        refuse_old(interpreter(spec, self.context.env), self.context.env)

    def configure(self, new: JobFolder, submission: Submission, gpus: Chosen) -> None:
        data = data_paths(self.name, submission.spec.data, self.context.env)
        for node in new.nodes:
            env = gpus.of_node(node.rank).env
            write_json(node.config, submission.launch_config(submission.root, node.rank, data=data, env=env))

    def start(self, folder: JobFolder, submission: Submission, secrets: Callable[[], bytes]) -> None:
        env, nodes = self.context.env, waiting(folder)
        if nodes:
            launch(folder, nodes, interpreter(submission.spec, env), env, secrets())

    def status(self, ref: PlatformRef) -> JobStatus:
        if JobFolder.is_deleted(self.context.home, ref):  # and with it all that was known
            return JobStatus(JobState.UNKNOWN, detail="its folder was deleted", is_gone=True)
        return super().status(ref)

    def stop(self, ref: PlatformRef) -> None:
        if not JobFolder.is_deleted(self.context.home, ref):
            super().stop(ref)

    def look(self, folder: JobFolder) -> JobStatus:
        status = joined(node_statuses(folder))
        return status if status.state.is_final else replace(status, metrics=jobfiles.last_metrics(folder))

    def end(self, folder: JobFolder) -> None:
        stop_living(folder, node_statuses(folder))

    def checks(self, spec: JobSpec | None = None) -> Iterator[Check]:  # noqa: ARG002 - it rents no machine
        return local_checks(self.context.home, self.context.env)
