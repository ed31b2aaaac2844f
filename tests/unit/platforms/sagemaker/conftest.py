"""AWS on loopback: one server for all tests of a worker, its account made anew for each."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.sagemaker.aws import Aws
from ipymlops.platforms.sagemaker.platform import SageMakerPlatform
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


@pytest.fixture(scope="session")
def onlooker(aws_server: SageMakerApi, tmp_path_factory: pytest.TempPathFactory) -> SageMakerPlatform:
    """A platform for many tests that only ask: to make the library's clients takes most of a test's time."""
    context = PlatformContext(tmp_path_factory.mktemp("onlooker"), aws_server.settings, aws_server.env)
    return SageMakerPlatform(context)


@pytest.fixture
def looks(onlooker: SageMakerPlatform, api: SageMakerApi) -> SageMakerPlatform:
    """The same, with its whole share of questions."""
    shutil.rmtree(onlooker.context.home, ignore_errors=True)
    return onlooker
