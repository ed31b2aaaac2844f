"""Jobs for tests that send them: code, a spec, and what the server then has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipymlops.job import new_job_id
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan, PlatformRef
from ipymlops.testing.job_runner import packed
from tests.servers.sagemaker_api import SageMakerApi


@dataclass
class Sender:
    """Sends `train.py` to the server, as `PlatformContext`s of one home do."""

    api: SageMakerApi
    home: Path

    def platform(self, **env: str) -> SageMakerPlatform:
        return SageMakerPlatform(PlatformContext(self.home, self.api.settings, {**self.api.env, **env}))

    def code(self) -> CodeArchive:
        return packed(self.home / "code", {"train.py": "print(1)"})

    def submit(self, job_id: JobId | None = None, *, name: str = "train-1", **fields: Any) -> PlatformRef:
        """Planned, looked at, sent."""
        platform, spec = self.platform(), JobSpec(**{"script": "train.py"} | fields)
        plan = platform.plan(spec)
        platform.preflight(spec, plan)
        return self.send(platform, job_id or new_job_id(), name, spec, platform.pinned(spec, plan))

    def send(self, platform: SageMakerPlatform, job_id: JobId, name: str, spec: JobSpec, plan: Plan) -> PlatformRef:
        return platform.submit(job_id, name, spec, None if spec.no_code else self.code(), plan)

    def request(self, ref: PlatformRef) -> dict[str, Any]:
        """What CreateTrainingJob was given, as the service keeps it."""
        return dict(self.api.job(ref.rpartition("/")[2]).request)

    @property
    def names(self) -> list[str]:
        return [job.name for job in self.api.all_jobs()]
