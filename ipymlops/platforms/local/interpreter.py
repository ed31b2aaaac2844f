"""The Python that runs a job on this machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ipymlops.errors import UsageProblem
from ipymlops.spec import JobSpec

OLDEST = (3, 8)
PATIENCE_S = 30


def interpreter(spec: JobSpec, env: Mapping[str, str]) -> str:
    """The absolute path of the job's Python; raises `UsageProblem` if it is not there."""
    asked = spec.python or default_python(env)
    found = shutil.which(asked, path=env.get("PATH"))
    if found is None:
        raise UsageProblem(
            f"the Python for the job is not there: {asked}; nothing was started",
            why="no such program, or it may not be executed",
            fix="ipymlops doctor local",
        )
    return str(Path(found).absolute())


def default_python(env: Mapping[str, str]) -> str:
    """The activated environment's Python, else the first on PATH, else our own."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        candidate = Path(env.get(variable) or "/nowhere") / "bin" / "python"
        if candidate.exists():
            return str(candidate)
    return shutil.which("python3", path=env.get("PATH")) or sys.executable


def version_of(python: str, env: Mapping[str, str]) -> tuple[int, ...]:
    """Its version, (0,) where it does not tell."""
    if python == sys.executable:
        return sys.version_info[:3]
    program = "import sys; print(*sys.version_info[:3])"
    try:
        done = subprocess.run(
            [python, "-I", "-S", "-c", program],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    words = done.stdout.split()
    return tuple(int(word) for word in words) if len(words) == 3 and done.returncode == 0 else (0,)  # noqa: PLR2004


def refuse_old(python: str, env: Mapping[str, str]) -> None:
    """Raise `UsageProblem` if the launcher cannot run there."""
    version = version_of(python, env)
    if version < OLDEST:
        raise UsageProblem(
            f"{python} is too old for a job; nothing was started",
            why=f"it is {dotted(version)}; the launcher needs Python {dotted(OLDEST)} or newer",
            fix="run the line from a newer environment",
        )


def dotted(version: tuple[int, ...]) -> str:
    return f"Python {'.'.join(str(part) for part in version)}" if version != (0,) else "no Python that starts"
