"""Environments as users have them, made by uv from what the developers' set-up has downloaded already."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOWNLOADS_ENV = {name: os.environ[name] for name in os.environ if name.startswith(("UV_", "SSL_", "HOME", "XDG_CACHE"))}
"""Where uv keeps them, read before the tests get a HOME of their own."""


@pytest.fixture
def install() -> Callable[..., None]:
    """`install(python, "PACKAGE", ...)`: from uv's downloads where they are there, else from the index."""

    def run(python: Path, *words: str) -> None:
        line = [
            "uv",
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python),
            "--constraint",
            str(ROOT / "constraints.txt"),
        ]
        env = os.environ | DOWNLOADS_ENV
        done = subprocess.run([sys.executable, "-m", *line, "--offline", *words], env=env, capture_output=True)
        if done.returncode:
            subprocess.run([sys.executable, "-m", *line, *words], env=env, check=True)

    return run


@pytest.fixture
def venv(tmp_path) -> Path:
    """The bin folder of an empty environment of a user, outside this clone."""
    folder = tmp_path / "user-venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin"
