"""A launcher that really runs: its zip, and a folder for one job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ipymlops.runtime.pack import launcher_zip
from tests.unit.runtime.launched import Launched


@pytest.fixture(scope="session")
def zip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return launcher_zip(tmp_path_factory.mktemp("launcher"))


@pytest.fixture
def job(tmp_path: Path, zip_path: Path) -> Iterator[Launched]:
    """A job's folder, on which launchers can be started; nothing of it outlives the test."""
    launched = Launched(tmp_path / "job", zip_path)
    yield launched
    launched.close()
