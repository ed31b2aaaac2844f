"""Any arguments, through every door, on every platform, really run: the script gets them byte for byte."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.bench.doors import ARGV, Doors, open_doors
from tests.servers.engine import BASE, dockerd
from tests.servers.sagemaker_api import sagemaker_api, signed_in

pytestmark = pytest.mark.xdist_group("engine")


@pytest.fixture(scope="module")
def container_engine() -> Iterator[dict[str, str]]:
    """The variables that lead to an engine of our own and its image, and to an account whose jobs run in it."""
    with dockerd() as engine, sagemaker_api(engine) as api:
        yield {"DOCKER_HOST": engine.host, "IPYMLOPS_DOCKER_IMAGE": BASE, **signed_in(api)}


@pytest.fixture
def doors(tmp_path, container_engine) -> Iterator[Doors]:
    with open_doors(tmp_path / "user", container_engine) as doors:
        yield doors


@settings(
    max_examples=1,  # the simplest, which has every odd word; `make bench` generates more
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(argv=ARGV)
@pytest.mark.parametrize("platform", ["local", "docker", "sagemaker"])
def test_any_arguments_reach_the_script_through_every_door(argv, platform, doors):
    assert doors.wrong(platform, argv) == []
