"""A training container for each test; AWS on loopback is one for all tests of a worker, its account made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api
from tests.servers.sagemaker_api.role import RoleServer
from tests.unit.runtime.places.container import Container


@pytest.fixture(scope="session")
def aws_side() -> Iterator[tuple[SageMakerApi, RoleServer]]:
    with sagemaker_api() as running:
        yield running, RoleServer(running)


@pytest.fixture
def api(aws_side: tuple[SageMakerApi, RoleServer]) -> SageMakerApi:
    aws_side[0].reset()
    return aws_side[0]


@pytest.fixture
def container(
    tmp_path: Path, zip_path: Path, api: SageMakerApi, aws_side: tuple[SageMakerApi, RoleServer]
) -> Iterator[Container]:
    running = Container(tmp_path / "container", zip_path, api, aws_side[1])
    yield running
    running.close()
