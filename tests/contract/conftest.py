"""Container engines: one of each for all tests of a worker; their tests are one group, so only one worker starts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers import engine
from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[engine.Engine]:
    with engine.dockerd() as running:
        yield running


@pytest.fixture(scope="session")
def podman_engine() -> Iterator[engine.Engine]:
    with engine.podman() as running:
        yield running


@pytest.fixture(scope="session")
def sagemaker_server(docker_engine: engine.Engine) -> Iterator[SageMakerApi]:
    with sagemaker_api(docker_engine) as running:
        yield running
