"""What a container begins with: a few lines of shell, and the launcher; both the same for every job of a version."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from ipymlops.runtime.pack import launcher_bytes


def run_sh() -> bytes:
    """The first words of the container."""
    return (files("ipymlops.platforms.sagemaker") / "run.sh").read_bytes()


@cache
def bootstrap_files() -> dict[str, bytes]:
    """By name, as they lie in S3."""
    return {"launcher.pyz": launcher_bytes(), "run.sh": run_sh()}


@cache
def bootstrap_sha256() -> str:
    """Names them together."""
    return hashlib.sha256(b"".join(bootstrap_files().values())).hexdigest()
