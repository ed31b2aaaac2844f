"""What platforms of this machine have in common: a job's folder answers, and its reference is the job's id."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from ipymlops.job import Artifact, JobState, JobStatus, LogPage
from ipymlops.platforms import jobfiles, joblog
from ipymlops.platforms.base import Platform
from ipymlops.platforms.data_paths import data_paths
from ipymlops.platforms.gpus_here import RECORD, Chosen, busy_gpus, chosen_gpus, has_gpus
from ipymlops.platforms.honoured import refuse_impossible_words, refuse_unhonoured, refuse_unknown_settings
from ipymlops.platforms.jobfolder import JobFolder, fill, new_job_folder, write_json
from ipymlops.platforms.secret_refs import secret_line, secret_values
from ipymlops.platforms.submission import Submission, stop_grace_s
from ipymlops.spec import DEFAULT_MAX_RUNTIME_S, CodeArchive, JobId, JobSpec, Plan, PlatformRef

GONE = JobStatus(JobState.UNKNOWN, detail="its folder on this machine was deleted", is_gone=True)


class PlatformHere(Platform):
    """A platform whose jobs run on this machine, each in its folder below `HOME/local`."""

    is_here: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]]
    """The names of its own settings."""

    def has_gpu(self, gpu: str) -> bool:
        return has_gpus(gpu, self.context.env)

    def submit(self, job_id: JobId, name: str, spec: JobSpec, code: CodeArchive | None, plan: Plan) -> PlatformRef:
        grace_s = stop_grace_s(self.settings_of(spec))
        submission = Submission(self.context.home.absolute(), self.name, job_id, name, spec, code, plan, grace_s)

        @cache
        def secrets() -> bytes:
            """Read only where something is started: a repeat may come from an environment that has them no more."""
            return secret_line(secret_values(spec.secrets, self.context.env))

        if not submission.root.exists():
            secrets()  # refused before anything is written
        with new_job_folder(self.context.home, job_id) as new:
            if new is not None:
                fill(new, self.context.home, submission.record(time.time()), code)
                self.configure(JobFolder(new), submission, self._gpus(new, spec, plan))
        self.start(JobFolder.of(self.context.home, job_id), submission, secrets)
        return PlatformRef(job_id)

    def find(self, job_id: JobId, name: str, spec: JobSpec, plan: Plan) -> PlatformRef | None:  # noqa: ARG002
        folder = JobFolder.found(self.context.home, job_id)
        is_started = folder is not None and self.look(folder).state is not JobState.QUEUED
        return PlatformRef(job_id) if is_started else None

    @abstractmethod
    def configure(self, new: JobFolder, submission: Submission, gpus: Chosen) -> None:
        """Write into the folder, still at a place of its own, what the start needs."""

    @abstractmethod
    def start(self, folder: JobFolder, submission: Submission, secrets: Callable[[], bytes]) -> None:
        """Start what has not been started; repeated after a crash at any point, it starts nothing twice.

        Args:
            secrets: Reads them, as the launcher's standard input; to be called only for a start.
        """

    @abstractmethod
    def look(self, folder: JobFolder) -> JobStatus:
        """How the job stands."""

    @abstractmethod
    def end(self, folder: JobFolder) -> None:
        """Tell what still runs of it to stop."""

    def status(self, ref: PlatformRef) -> JobStatus:
        folder = JobFolder.found(self.context.home, ref)
        try:
            return GONE if folder is None else self.look(folder)
        except (FileNotFoundError, NotADirectoryError, KeyError):
            if folder is None or folder.is_there:
                raise
            return GONE  # it was deleted while we looked

    def stop(self, ref: PlatformRef) -> None:
        folder = JobFolder.found(self.context.home, ref)
        if folder is not None:
            self.end(folder)

    def logs(self, ref: PlatformRef, cursor: str = "") -> LogPage:
        folder = self._folder(ref)
        is_ended = self.look(folder).state.is_final  # before the log is read
        return joblog.read_page(folder.nodes, cursor, is_ended=is_ended)

    def last_output_at(self, ref: PlatformRef) -> datetime | None:
        return joblog.last_output_at(self._folder(ref).nodes)

    def artifacts(self, ref: PlatformRef) -> Iterable[Artifact]:
        return jobfiles.artifacts(self._folder(ref))

    def fetch(self, ref: PlatformRef, path: str, to: Path) -> None:
        jobfiles.fetch(self._folder(ref), path, to)

    def metrics(self, ref: PlatformRef) -> Iterator[Mapping[str, Any]]:
        return jobfiles.metric_records(self._folder(ref))

    def plan_here(self, spec: JobSpec, gpus: Chosen, request: dict[str, Any], **more: Any) -> Plan:
        """A plan on this machine, which costs nothing; `more` are fields that only one of the platforms has."""
        return Plan(
            platform=self.name,
            accelerator=gpus.name,
            accelerator_count=gpus.count,
            asked_count=gpus.count,
            nodes=spec.nodes,
            usd_per_hour=0.0,
            max_runtime_s=spec.max_runtime_s or DEFAULT_MAX_RUNTIME_S,
            max_cost_usd=spec.max_cost_usd,
            request=request,
            **more,
        )

    def settings_of(self, spec: JobSpec) -> dict[str, str]:
        """The settings with those of the line."""
        return dict(self.context.settings) | dict(spec.settings)

    def refuse(self, spec: JobSpec) -> None:
        """Raise `UsageProblem` for whatever can be known to be wrong before anything is recorded."""
        refuse_unhonoured(self.name, self.options, spec)
        refuse_unknown_settings(self.name, self.settings, dict(spec.settings))
        stop_grace_s(self.settings_of(spec))
        refuse_impossible_words(spec)
        data_paths(self.name, spec.data, self.context.env)
        secret_values(spec.secrets, self.context.env)

    def _folder(self, ref: PlatformRef) -> JobFolder:
        return JobFolder.of(self.context.home, ref)

    def _gpus(self, new: Path, spec: JobSpec, plan: Plan) -> Chosen:
        gpus = chosen_gpus(spec.gpu, self.context.env, nodes=plan.nodes, busy=busy_gpus(self.context.home))
        if gpus.count:
            write_json(new / RECORD, gpus.indexes)
        return gpus
