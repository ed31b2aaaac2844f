"""The shepherd of one container: `python -m ipymlops.platforms.docker.shepherd FOLDER`.

A detached process that saves what the container prints, ends it at its cap or when a stop is ignored, writes down how
it ended, and removes it. It may be killed at any point and started again: `status` and `logs` do that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ipymlops.errors import IpymlopsError, Unreachable
from ipymlops.platforms.docker.ending import container_log, end_path, read_end, timeout_marker, write_end, write_lost
from ipymlops.platforms.docker.engine import Address, engine
from ipymlops.platforms.docker.pump import Pump
from ipymlops.platforms.docker.start import find_container, signal_container
from ipymlops.platforms.docker.states import NEVER_RAN, RUNNING, epoch_of
from ipymlops.platforms.jobfolder import JobFolder, read_json
from ipymlops.platforms.processes import is_locked, start_detached, try_lock

PATIENCE_S = 30.0
LOOK_EVERY_S = 0.2
DOUBT_S = 3.0
LAUNCHER_MARGIN_S = 30.0
"""Our launcher keeps the cap itself; the shepherd acts only if it did not."""


def address_path(folder: JobFolder) -> Path:
    return folder.root / "engine.json"


def ensure_shepherd(folder: JobFolder, env: Mapping[str, str]) -> None:
    """Start one unless one lives, or there is nothing left to do."""
    if end_path(folder).exists():
        return
    path = folder.root / "shepherd.lock"
    while (lock := try_lock(path)) is None:
        if is_locked(path):  # else somebody had only looked at it
            return
    with os.fdopen(lock, "rb"):
        words = [sys.executable, "-m", "ipymlops.platforms.docker.shepherd", str(folder.root)]
        # Not in the job's folder: `-m` looks for modules where it is started, and the job can write there.
        start_detached(words, lock=lock, said=folder.root / "shepherd.log", cwd=Path("/"), env=env)


def main(words: Sequence[str]) -> int:
    folder = JobFolder(Path(words[0]))
    answered_at = time.monotonic()
    while folder.is_there and read_end(folder) is None:
        tried_at = time.monotonic()
        try:
            tend(folder)
        except Unreachable as problem:
            now = time.monotonic()
            if now - tried_at > PATIENCE_S:  # it was there for long, and has only just gone
                answered_at = now
            if now - answered_at > PATIENCE_S:
                print(problem, file=sys.stderr)  # noqa: T201 - to its own log
                return problem.exit_code
            time.sleep(LOOK_EVERY_S)
    return 0


def tend(folder: JobFolder) -> None:
    """Stay with the container to its end, and write that down."""
    address: Address = read_json(address_path(folder)) or {}
    with engine(address) as client:
        container = find_container(client, folder)
        if container is None:
            write_lost(folder)
            return
        if container.status in NEVER_RAN:
            raise Unreachable("the container has not been started yet")
        while container.status in RUNNING and folder.is_there:
            with _pumping(address, folder, container.id) as is_pumping:
                _watch(folder, container, is_pumping)
            container.reload()
        if not folder.is_there:  # it was deleted: nobody can reach the job any more, nor end it
            container.remove(force=True, v=True)
            return
        Pump(container_log(folder)).flow(client, container.id, follow=False)
        container.reload()  # raises if the engine went away: the library takes a log that breaks off for its end
        write_end(folder, container.attrs)
        container.remove(force=True, v=True)


@dataclass(frozen=True)
class Limits:
    """When to act: the end of the cap (epoch seconds), and how long a container may take to stop."""

    cap_at: float
    grace_s: float

    @classmethod
    def of(cls, folder: JobFolder, attributes: Mapping[str, Any]) -> Limits:
        record = folder.record()
        margin_s = 0.0 if record["spec"]["no_code"] else LAUNCHER_MARGIN_S
        began = epoch_of(attributes["State"].get("StartedAt")) or time.time()
        grace_s = float(record["stop_grace_s"]) + margin_s
        return cls(began + float(record["plan"]["max_runtime_s"]) + margin_s, grace_s)


def _watch(folder: JobFolder, container: Any, is_pumping: Callable[[], bool]) -> None:
    """While the log flows: see to the cap, and to a stop that is ignored."""
    limits, looked_at = Limits.of(folder, container.attrs), time.monotonic()
    while is_pumping() and folder.is_there:
        if time.monotonic() - looked_at > DOUBT_S:  # engines have been seen to leave the stream of a dead one open
            container.reload()
            if container.status not in RUNNING:
                return
            looked_at = time.monotonic()
        now = time.time()
        if now >= limits.cap_at and not timeout_marker(folder).exists():
            timeout_marker(folder).touch()
            signal_container(container)
        told_at = _told_at(folder)
        if told_at is not None and now >= told_at + limits.grace_s:
            signal_container(container, "SIGKILL")
            return


def _told_at(folder: JobFolder) -> float | None:
    """When it was told to end, by the user or for its cap; None if it was not."""
    markers = [Path(folder.node(0).state.path("stop")), timeout_marker(folder)]
    return min((marker.stat().st_mtime for marker in markers if marker.exists()), default=None)


@contextlib.contextmanager
def _pumping(address: Address, folder: JobFolder, container_id: str) -> Iterator[Callable[[], bool]]:
    """Save the log in a thread while the block runs; gives "wait a moment: does it still flow?"."""
    over, pump = threading.Event(), Pump(container_log(folder))

    def flow() -> None:
        try:
            with engine(address) as client:
                pump.flow(client, container_id, follow=True)
        except IpymlopsError as problem:
            print(problem, file=sys.stderr)  # noqa: T201 - to its own log; it is tried again
            time.sleep(LOOK_EVERY_S)
        finally:
            over.set()

    threading.Thread(target=flow, daemon=True).start()
    yield lambda: not over.wait(LOOK_EVERY_S)
    over.wait(DOUBT_S)  # what is on its way; the last look at the log takes what is not
    pump.close()


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))
