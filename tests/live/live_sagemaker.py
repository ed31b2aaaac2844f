"""The contract of platforms on a real SageMaker account; collected by `make live PLATFORM=sagemaker` alone.

The settings and the credentials are the caller's, as they were before the tests cleaned the environment.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ipymlops.config import load
from ipymlops.platforms.base import Platform, PlatformContext
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.spec import JobSpec, PlatformRef
from ipymlops.testing import job_runner
from ipymlops.testing.job_runner import JobRunner
from ipymlops.testing.platform_basics import SECRET
from tests.contract.sagemaker_promises import SageMakerContract
from tests.live.spending import Spending

CALLER = dict(os.environ)
MACHINE = "ml.m5.large"
CAP_S = 600
"""Of each job: enough for the pull of a large image."""

job_runner.PATIENCE_S = 3000.0
"""A machine has to be found, and the image to be pulled."""


@dataclass(frozen=True)
class CappedRunner(JobRunner):
    """Sends small jobs with a short limit, and none that could pass the cap."""

    spending: Spending = field(default_factory=lambda: Spending(0.0))

    def submit(self, code: Any, /, *argv: str, **fields: Any) -> PlatformRef:
        asked = {"machine_type": MACHINE, "max_runtime_s": CAP_S, **fields}
        known = {name: value for name, value in asked.items() if name not in {"job_id", "job_name"}}
        spec = JobSpec(**{"script": "train.py", "argv": argv} | known)
        self.spending.allow(self.platform.plan(spec), spec)
        return super().submit(code, *argv, **asked)


@pytest.fixture(scope="session")
def spending() -> Spending:
    return Spending(float(CALLER.get("LIVE_MAX_USD", "5")))


class TestSageMakerLive(SageMakerContract):
    @pytest.fixture
    def platform(self, home: Path) -> Platform:
        settings = load(Path.cwd(), CALLER).platform("sagemaker")
        return SageMakerPlatform(PlatformContext(home, settings, {**CALLER, SECRET[0]: SECRET[1]}))

    @pytest.fixture
    def runner(self, platform: Platform, python: str, spending: Spending) -> JobRunner:
        folder = platform.context.home / "code"
        return CappedRunner(platform, folder, python, spending=spending)
