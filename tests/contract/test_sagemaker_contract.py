"""SageMaker keeps the contract: the unmodified AWS library, and a real server that really runs the containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipymlops.job import EndReason, JobState
from ipymlops.platforms.base import Platform, PlatformContext
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
from ipymlops.platforms.sagemaker.policies import Names, policy
from ipymlops.testing.job_runner import JobRunner
from ipymlops.testing.platform_basics import SECRET, WAITS
from tests.contract.sagemaker_promises import SageMakerContract
from tests.servers.policies import refused
from tests.servers.sagemaker_api import SageMakerApi

IGNORES_THE_STOP = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS

BESIDE = {"sts:GetCallerIdentity", "secretsmanager:ListSecrets"}
"""What everybody may do, and what only the onlooker of these tests does."""


class TestSageMaker(SageMakerContract):
    pytestmark = pytest.mark.xdist_group("engine")

    @pytest.fixture
    def api(self, sagemaker_server: SageMakerApi) -> Iterator[SageMakerApi]:
        sagemaker_server.reset()
        yield sagemaker_server
        _stays_within_its_policies(sagemaker_server)
        sagemaker_server.reset()

    @pytest.fixture(autouse=True)
    def _owner(self, api: SageMakerApi) -> None:
        self._owner_s3 = api.client("s3")

    def owner_s3(self, platform: SageMakerPlatform) -> Any:  # noqa: ARG002 - the tests have one server
        return self._owner_s3

    @pytest.fixture
    def platform(self, home: Path, api: SageMakerApi) -> Platform:
        env = {**os.environ, **api.env, SECRET[0]: SECRET[1]}
        return SageMakerPlatform(PlatformContext(home, api.settings, env))

    def test_a_script_that_ignores_the_stop_is_ended(self, runner: JobRunner, api: SageMakerApi) -> None:
        """The service kills it, and nobody is left to say how it ended."""
        api.stop_grace_s = 1.0
        ref = runner.submit(IGNORES_THE_STOP)
        runner.until_logged(ref, b"ready")
        runner.platform.stop(ref)
        status = runner.ended(ref)
        assert (status.state, status.end_reason) == (JobState.STOPPED, EndReason.USER)


def _stays_within_its_policies(api: SageMakerApi) -> None:
    """Whatever a test made them do, caller and job needed no right that is not in the two policies."""
    names = Names("aws", api.account, api.bucket, api.role)
    for by, name in (("caller", "caller"), ("role", "execution")):
        data = f"arn:aws:s3:::{api.bucket}/data/"  # put there by the tests, as a user would
        used = {one for one in api.rights_used(by) if one[0] not in BESIDE and not one[1].startswith(data)}
        assert refused(policy(name, names), used) == set()
