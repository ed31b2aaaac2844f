"""Amazon SageMaker AI: each job is one training job of the account; every method is one file beside this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import botocore  # noqa: F401 - who lacks it is told so when the platform is loaded, not in the middle of a line

from ipymlops.hardware.machines import Machine
from ipymlops.job import Artifact, JobStatus, LogPage
from ipymlops.platforms.abilities import Listing, Lists, Proposal, Rents, SetsUp
from ipymlops.platforms.base import Check, Platform, PlatformContext
from ipymlops.platforms.honoured import refuse_unhonoured, refuse_unknown_settings
from ipymlops.platforms.sagemaker.reference import read_reference
from ipymlops.spec import CodeArchive, JobId, JobSpec, Plan, PlatformRef


class SageMakerPlatform(Platform, Lists, Rents, SetsUp):
    """Training jobs. The files beside this one are imported when they are needed: they bring the AWS library."""

    name: ClassVar[str] = "sagemaker"
    title: ClassVar[str] = "Amazon SageMaker AI"
    options: ClassVar[frozenset[str]] = frozenset(field.name for field in fields(JobSpec)) - {"bake", "python"}
    settings: ClassVar[tuple[str, ...]] = (
        *("region", "regions", "role", "bucket", "image", "volume_gib", "subnets", "security_groups", "kms_key"),
    )

    def __init__(self, context: PlatformContext) -> None:
        from ipymlops.platforms.sagemaker.aws import Aws

        super().__init__(context)
        self.aws = Aws(context.home, context.settings, context.env)

    def __reduce__(self) -> tuple[object, ...]:
        """Another process makes clients of its own."""
        return type(self), (self.context,)

    def has_gpu(self, gpu: str) -> bool:
        from ipymlops.platforms.sagemaker.choosing import has_gpu

        return has_gpu(gpu)

    def plan(self, spec: JobSpec) -> Plan:
        from ipymlops.platforms.sagemaker.planning import planned

        refuse_unhonoured(self.name, self.options, spec)
        refuse_unknown_settings(self.name, self.settings, dict(spec.settings))
        return planned(self.aws, spec)

    def preflight(self, spec: JobSpec, plan: Plan) -> None:
        from ipymlops.platforms.sagemaker.planning import preflight

        preflight(self.aws, spec, plan)

    def pinned(self, spec: JobSpec, plan: Plan) -> Plan:
        from ipymlops.platforms.sagemaker.pinning import pinned

        return pinned(self.aws, spec, plan)

    def submit(self, job_id: JobId, name: str, spec: JobSpec, code: CodeArchive | None, plan: Plan) -> PlatformRef:
        from ipymlops.platforms.sagemaker.submit import Order, submitted

        return submitted(self.aws, Order(job_id, name, spec, code, plan))

    def find(self, job_id: JobId, name: str, spec: JobSpec, plan: Plan) -> PlatformRef | None:
        from ipymlops.platforms.sagemaker.submit import Order, found

        return found(self.aws, Order(job_id, name, spec, None, plan))

    def status(self, ref: PlatformRef) -> JobStatus:
        from ipymlops.platforms.sagemaker.status import status_of

        return status_of(self.aws, read_reference(ref))

    def logs(self, ref: PlatformRef, cursor: str = "") -> LogPage:
        from ipymlops.platforms.sagemaker.logs import page

        return page(self.aws, read_reference(ref), cursor)

    def last_output_at(self, ref: PlatformRef) -> datetime | None:
        from ipymlops.platforms.sagemaker.logs import last_output_at

        return last_output_at(self.aws, read_reference(ref))

    def stop(self, ref: PlatformRef) -> None:
        from ipymlops.platforms.sagemaker.stopping import stop

        stop(self.aws, read_reference(ref))

    def artifacts(self, ref: PlatformRef) -> Iterable[Artifact]:
        from ipymlops.platforms.sagemaker.files import artifacts

        return artifacts(self.aws, read_reference(ref))

    def fetch(self, ref: PlatformRef, path: str, to: Path) -> None:
        self.fetch_telling(ref, path, to, lambda _bytes: None)

    def fetch_telling(self, ref: PlatformRef, path: str, to: Path, progress: Callable[[int], object]) -> None:
        from ipymlops.platforms.sagemaker.fetching import fetch

        fetch(self.aws, read_reference(ref), path, to, progress)

    def metrics(self, ref: PlatformRef) -> Iterator[Mapping[str, Any]]:
        from ipymlops.platforms.sagemaker.results import metric_records

        return metric_records(self.aws, read_reference(ref))

    def checks(self, spec: JobSpec | None = None) -> Iterator[Check]:
        from ipymlops.platforms.sagemaker.checks import checks

        return checks(self.aws, spec)

    @classmethod
    def is_configured(cls, context: PlatformContext) -> bool:
        folder = Path(context.env.get("HOME") or "/dev/null", ".aws")
        has_files = any((folder / name).exists() for name in ("config", "credentials"))
        return bool(context.settings) or has_files or any(name.startswith("AWS_") for name in context.env)

    def listing(self, cursor: str, known: Iterable[PlatformRef] = ()) -> Listing:
        from ipymlops.platforms.sagemaker.listing import listed

        return listed(self.aws, cursor, known)

    def plan_of(self, ref: PlatformRef) -> Plan:
        from ipymlops.platforms.sagemaker.reading import plan_of

        return plan_of(self.aws, read_reference(ref))

    def machines(self) -> Iterable[Machine]:
        from ipymlops.platforms.sagemaker.choosing import offers

        return offers(self.aws)

    def proposals(self) -> Iterator[Proposal]:
        from ipymlops.platforms.sagemaker.setup import proposals

        return proposals(self.aws)

    def create(self, proposal: Proposal) -> None:
        from ipymlops.platforms.sagemaker.setup import create

        create(self.aws, proposal)
