"""What `doctor` looks at for every platform whose jobs run on this machine. Nothing is changed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ipymlops.platforms.base import Check

LOW_BYTES = 1_000_000_000
TOO_LOW_BYTES = 100_000_000


def machine_checks(platform: str, home: Path) -> Iterator[Check]:
    """The folder for jobs: writable, on a disk with space, and with locks."""
    folder = _nearest(home)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Check(
            f"{platform}.home",
            "fail",
            f"{home} cannot be written",
            why=f"no permission to write in {folder}",
            fix="export IPYMLOPS_HOME=$HOME/.ipymlops",
        )
        return
    yield Check(f"{platform}.home", "ok", f"{home} can be written")
    yield _disk(platform, folder)
    yield _lock(platform, folder)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _disk(platform: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    status = "ok" if free >= LOW_BYTES else "warn" if free >= TOO_LOW_BYTES else "fail"
    return Check(
        f"{platform}.disk",
        status,  # type: ignore[arg-type]  # mypy takes the three literals for str
        f"{free / 1e9:.1f} GB free for jobs at {folder}",
        why=""
        if status == "ok"
        else f"a job needs space for its code, log and output; less than {LOW_BYTES / 1e9:.0f} GB is little",
        fix="" if status == "ok" else f"du -sh {folder}/local/* | sort -h | tail",
    )


def _lock(platform: str, folder: Path) -> Check:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        return Check(
            f"{platform}.lock",
            "fail",
            f"the file system of {folder} has no locks",
            why=f"flock: {problem}; locks tell which jobs live",
            fix="export IPYMLOPS_HOME=/tmp/ipymlops",
        )
    return Check(f"{platform}.lock", "ok", f"the file system of {folder} has locks")
