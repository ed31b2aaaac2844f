"""What `doctor local` looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ipymlops.platforms.base import Check
from ipymlops.platforms.gpus_here import gpu_check
from ipymlops.platforms.local.interpreter import OLDEST, default_python, dotted, version_of
from ipymlops.platforms.machine_checks import machine_checks


def local_checks(home: Path, env: Mapping[str, str]) -> Iterator[Check]:
    """Python, the folder for jobs, GPUs."""
    yield _python(env)
    yield from machine_checks("local", home)
    yield gpu_check("local", env)


def _python(env: Mapping[str, str]) -> Check:
    python = default_python(env)
    version = version_of(python, env)
    if version >= OLDEST:
        return Check("local.python", "ok", f"{dotted(version)} at {python}")
    return Check(
        "local.python",
        "fail",
        f"{dotted(version)} at {python}",
        why=f"the launcher needs {dotted(OLDEST)} or newer",
        fix="python3 -m venv .venv && . .venv/bin/activate",
    )
