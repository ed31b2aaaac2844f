"""Sending a courier: a detached process that takes one recorded job to its platform."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from ipymlops.context import Context
from ipymlops.control.lock import FileLock
from ipymlops.errors import PlatformProblem, StoreProblem
from ipymlops.spec import JobId


@dataclass(frozen=True)
class Origin:
    """Where a job was sent from: the machine's host name, and the folder whose settings hold."""

    host: str
    folder: str


def this_host() -> str:
    return platform.node()


def lock_of(home: Path, job_id: JobId) -> FileLock:
    """Held by whoever is taking the job to its platform."""
    return FileLock(_path(home, job_id, "lock"))


def log_of(home: Path, job_id: JobId) -> Path:
    """What the courier itself had to say: empty unless something broke."""
    return _path(home, job_id, "log")


def write_origin(context: Context, job_id: JobId) -> None:
    """Note where the job comes from. Written before the job is recorded, so that no job is without it."""
    path = _path(context.home, job_id, "json")
    try:
        for folder in (context.home, path.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(Origin(this_host(), str(context.cwd)))))
    except OSError as problem:
        fix = f"make room in {context.home}, or choose another folder with IPYMLOPS_HOME"
        raise StoreProblem("the job cannot be recorded; nothing was started", why=str(problem), fix=fix) from problem


def origin_of(home: Path, job_id: JobId) -> Origin | None:
    """None where it is not known: a job that was accepted long ago, or one that others started."""
    try:
        return Origin(**json.loads(_path(home, job_id, "json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def forget(home: Path, job_id: JobId) -> None:
    """Remove the courier's files once there is nothing left to carry; its log stays if it says something."""
    log = log_of(home, job_id)
    if log.exists() and not log.stat().st_size:
        log.unlink(missing_ok=True)
    for kind in ("json", "lock"):
        _path(home, job_id, kind).unlink(missing_ok=True)


def send(context: Context, job_id: JobId, lock: FileLock) -> None:
    """Start a courier and return at once. It outlives us and has our environment: credentials stay with the caller.

    `lock` is the job's own, held by us: the courier has it from its first moment, so that at none another is sent.
    """
    log = log_of(context.home, job_id)
    words = [sys.executable, "-m", "ipymlops.control.courier", str(context.home), job_id, str(lock.descriptor)]
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("ab") as out:
            # its folder is ours: `-m` looks for modules in the current one, where a user's json.py may lie
            process = subprocess.Popen(
                words,
                cwd=log.parent,
                env=dict(context.env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                pass_fds=(lock.descriptor,),
                start_new_session=True,
            )
    except OSError as problem:
        raise PlatformProblem(
            "the process that sends the job could not be started",
            why=f"{sys.executable}: {problem}",
            fix="run it again",
        ) from problem
    lock.hand_over()
    threading.Thread(target=process.wait, name=f"ipymlops-courier-{job_id}", daemon=True).start()  # leaves no zombie


def _path(home: Path, job_id: JobId, kind: str) -> Path:
    return home / "couriers" / f"{job_id}.{kind}"
