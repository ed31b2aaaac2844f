"""Processes that outlive us: starting them so that a lock says whether they live."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PAUSE_S = 0.01


def try_lock(path: Path) -> int | None:
    """Take the lock: an open file that keeps it, None if it is held."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock for a moment; waits for others who do."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock; two who look at once do not disturb each other."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def start_detached(
    words: Sequence[str], *, lock: int, said: Path, cwd: Path, env: Mapping[str, str], stdin: bytes = b""
) -> int:
    """Start a process in a session of its own and return its pid.

    Args:
        lock: A lock that is held; the process has it from its first moment to its last, so that there is none in
            which it runs and the lock is free.
        said: Takes its standard output and error.
        stdin: All of it is in the pipe before the process is: it cannot be cut short by our death.
    """
    reader = _full_pipe(stdin)
    try:
        with said.open("ab") as out:
            process = subprocess.Popen(
                words, stdin=reader, stdout=out, stderr=out, cwd=cwd, env=env, pass_fds=(lock,), start_new_session=True
            )
    finally:
        os.close(reader)
    # Reaps it should it end before us: no zombie is left, and nobody warns that it still runs.
    threading.Thread(target=process.wait, name=f"ipymlops-{process.pid}", daemon=True).start()
    return process.pid


def _full_pipe(content: bytes) -> int:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        size = os.write(writer, content)
    finally:
        os.close(writer)
    if size != len(content):
        os.close(reader)
        raise BlockingIOError(f"{len(content)} bytes do not fit into a pipe")
    return reader
