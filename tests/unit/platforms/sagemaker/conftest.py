"""AWS on loopback: one server for all tests of a worker, its account made anew for each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ipymlops.platforms.sagemaker.aws import Aws
from tests.servers.sagemaker_api import SageMakerApi, sagemaker_api
from tests.unit.platforms.sagemaker.sending import Sender


@pytest.fixture(scope="session")
def aws_server() -> Iterator[SageMakerApi]:
    with sagemaker_api() as running:
        yield running


@pytest.fixture
def api(aws_server: SageMakerApi) -> SageMakerApi:
    aws_server.reset()
    return aws_server


@pytest.fixture
def aws(api: SageMakerApi, home: Path) -> Aws:
    """A caller who is signed in, with every setting."""
    return Aws(home, api.settings, api.env)


@pytest.fixture
def sender(api: SageMakerApi, home: Path) -> Sender:
    return Sender(api, home)
