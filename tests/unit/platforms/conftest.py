"""A machine with GPUs, as far as anybody can tell: an `nvidia-smi` on the PATH."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ipymlops.platforms.jobfolder import JobFolder


@pytest.fixture
def machine_with(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """`machine_with("NVIDIA A10G", "Tesla T4")` gives the environment of such a machine."""

    def made(*titles: str) -> dict[str, str]:
        folder = tmp_path / "driver"
        folder.mkdir(exist_ok=True)
        rows = "".join(f"{index}, {title}, 23028\\n" for index, title in enumerate(titles))
        program = folder / "nvidia-smi"
        program.write_text(f"#!/bin/sh\nprintf '{rows}'\n")
        program.chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    return made


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """A job's folder with one node, and nothing in it."""
    folder = JobFolder(tmp_path / "local" / "j1")
    for path in (folder.output, folder.tensorboard, folder.checkpoints, folder.node(0).root / "state"):
        path.mkdir(parents=True)
    return folder
