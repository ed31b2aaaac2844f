"""The folder that says how an attempt stands: its lock, `attempt.json`, `result.json`, and the wish to stop."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

RESERVE_BYTES = 256 * 1024
LOCK_TRIES = 40
LOCK_PAUSE_S = 0.05


class Attempt(NamedTuple):
    """One start of a job. `pgid` is the script's process group and session, None until it has started.

    `number` counts the starts, from 1.
    """

    attempt: str
    pid: int
    pgid: Optional[int]
    host: str
    boot_id: str
    started_at: float
    number: int = 1


class State:
    """The state folder of one job on one node, seen by the launcher and by the platform beside it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    @property
    def metrics_path(self) -> str:
        return self.path("metrics.jsonl")

    def hold(self) -> Optional[int]:
        """Take the lock: an open file that keeps it until the process ends, None if another process has it.

        The file is not inherited by the script, so that the script's children cannot keep a dead job alive.
        """
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        lock = os.open(self.path("alive.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(LOCK_TRIES):
            if _locked(lock, fcntl.LOCK_EX):
                return lock
            time.sleep(LOCK_PAUSE_S)  # somebody lives, or somebody looks (`is_held`), which is over at once
        os.close(lock)
        return None

    def is_held(self) -> bool:
        """Whether a launcher lives; changes nothing."""
        try:
            lock = os.open(self.path("alive.lock"), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who look at once do not take each other for the launcher.
            return not _locked(lock, fcntl.LOCK_SH)
        finally:
            os.close(lock)

    def attempt(self) -> Optional[Attempt]:
        """The latest attempt, None if the launcher never came so far."""
        record = read_json(self.path("attempt.json"))
        if record is None:
            return None
        values: Dict[str, Any] = {name: record.get(name) for name in Attempt._fields}
        number = record.get("number")
        return Attempt(**{**values, "number": number if isinstance(number, int) else 1})

    def attempts(self) -> int:
        """How many attempts were made so far."""
        attempt = self.attempt()
        return attempt.number if attempt else 0

    def result(self) -> Optional[Dict[str, Any]]:
        """`result.json`, None while there is none."""
        return read_json(self.path("result.json"))

    def ask_to_stop(self) -> None:
        """Leave word that the user wants the end; the signal comes after it."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        with open(self.path("stop"), "ab"):
            pass

    def tell_to_stop(self) -> None:
        """Leave word, then signal the launcher; again only if an earlier call did not come so far.

        One that has not begun its attempt is not signalled: it sees the word before it starts the script.
        """
        self.ask_to_stop()
        attempt = self.attempt()
        # The lock says that the launcher lives, so its number is not another process's by now.
        if attempt is None or os.path.exists(self.path("told")) or not self.is_held():
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(attempt.pid, signal.SIGTERM)
        with open(self.path("told"), "ab"):
            pass

    def stop_was_asked(self) -> bool:
        return os.path.exists(self.path("stop"))

    def begin(self, attempt: Attempt, *, goes_on: bool = False) -> None:
        """Forget what an earlier attempt left and write this one down; space for the result is set aside.

        Args:
            goes_on: From the checkpoint of an attempt that was on another machine, and so with its metrics.
        """
        for name in ("result.json", "manifest.json", *(("stop", "told") if goes_on else ("metrics.jsonl",))):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        with open(self.path("reserve"), "wb") as reserve:
            reserve.write(b"\0" * RESERVE_BYTES)
        # Not waiting for the disk yet: the script starts sooner, and `write_attempt` follows at once.
        write_json(self.path("attempt.json"), attempt._asdict(), is_durable=False)

    def write_attempt(self, attempt: Attempt) -> None:
        write_json(self.path("attempt.json"), attempt._asdict())

    def finish(self, result: Mapping[str, Any]) -> None:
        """Write the result, also on a disk that the script has filled."""
        if os.path.exists(self.path("reserve")):
            os.unlink(self.path("reserve"))
        write_json(self.path("result.json"), result)


def _locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def new_attempt(started_at: float, earlier: int = 0) -> Attempt:
    """Args: `earlier`, how many attempts there were before it."""
    return Attempt(os.urandom(8).hex(), os.getpid(), None, os.uname().nodename, boot_id(), started_at, earlier + 1)


def boot_id() -> str:
    """Changes whenever the machine starts; "" where it cannot be read."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def write_json(path: str, record: Mapping[str, Any], *, is_durable: bool = True) -> None:
    """Write a file at once: a reader sees the old one or the whole new one; if durable, after a crash too."""
    unfinished = "{}.{}.part".format(path, os.getpid())
    with open(unfinished, "w", encoding="ascii") as file:
        json.dump(record, file)
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(unfinished, path)
    if not is_durable:
        return
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_json(path: str) -> Optional[Dict[str, Any]]:
    """The object in a file; None without the file, and for what none of ours can have written."""
    try:
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def boot_clock() -> float:
    """Seconds that the clock on the wall cannot turn back; a machine's sleep counts."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


def steady_time() -> Callable[[], float]:
    """A clock of UTC epoch seconds that is right now and never goes back."""
    ahead = time.time() - boot_clock()
    return lambda: ahead + boot_clock()
