"""Environments as users have them."""

from pathlib import Path

import pytest

from tests.servers.environments import empty_environment


@pytest.fixture
def venv(tmp_path) -> Path:
    """The bin folder of an empty environment of a user, outside this clone."""
    return empty_environment(tmp_path / "user-venv")
