"""Environments and packages as users have them, installed by uv from what the developers' set-up has downloaded already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOWNLOADS_ENV = {name: os.environ[name] for name in os.environ if name.startswith(("UV_", "SSL_", "HOME", "XDG_CACHE"))}
"""Where uv keeps them, read before the tests get a HOME of their own."""
VERSIONS = str(ROOT / "constraints.txt")


def install(python: Path, *words: str) -> None:
    """`install(python, "PACKAGE", ...)`: from uv's downloads where they are there, else from the index."""
    which = ["--python", str(python), "--constraint", VERSIONS, "--build-constraint", VERSIONS]
    line = [sys.executable, "-m", "uv", "pip", "install", "--quiet", *which]
    env = os.environ | DOWNLOADS_ENV
    done = subprocess.run([*line, "--offline", *words], env=env, capture_output=True)
    if done.returncode:
        subprocess.run([*line, *words], env=env, check=True)


def empty_environment(folder: Path) -> Path:
    """Its bin folder."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin"


def environment(folder: Path, *packages: str) -> Path:
    """The bin folder of a new environment with these packages."""
    programs = empty_environment(folder)
    install(programs / "python", *packages)
    return programs
