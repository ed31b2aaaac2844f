"""Which platforms there are."""

import pytest

from ipymlops.errors import UsageProblem
from ipymlops.platforms.base import PlatformContext
from ipymlops.platforms.registry import Platforms
from ipymlops.testing.fake_platform import install_fake


@pytest.fixture
def platforms(home):
    """As they are for one line: `platforms()`."""
    return lambda: Platforms(lambda _name: PlatformContext(home, {}, {}))


def test_a_platform_that_is_installed_while_a_kernel_runs_is_found_by_the_next_line(platforms, tmp_path, monkeypatch):
    assert list(platforms()) == ["docker", "local", "sagemaker"]
    monkeypatch.syspath_prepend(install_fake(tmp_path))
    assert list(platforms()) == ["docker", "fake", "local", "sagemaker"]
    assert platforms().kind("fake").name == "fake"


def test_an_unknown_one_is_refused_with_the_nearest(platforms):
    with pytest.raises(UsageProblem, match="no platform is called 'dokcer'") as caught:
        platforms()["dokcer"]
    assert (caught.value.why, caught.value.fix) == (
        "did you mean 'docker'? there are: docker, local, sagemaker",
        "--on docker",
    )
