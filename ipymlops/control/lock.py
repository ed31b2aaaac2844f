"""`flock` as the sign of life: whoever holds it is alive, and the kernel takes it back from the dead."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import IO

PAUSE_S = 0.02


class FileLock:
    """A lock on a file, held until it is released or the process is gone; `path`'s folder is made when needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None  # an object: where an interrupt loses it, its end still unlocks

    def __enter__(self) -> FileLock:  # noqa: PYI034 - typing.Self came with 3.11
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    @classmethod
    def inherited(cls, path: Path, descriptor: int) -> FileLock:
        """The lock that whoever started this process took before, and handed over open."""
        lock = cls(path)
        lock._file = os.fdopen(descriptor, "ab")
        return lock

    @property
    def is_held(self) -> bool:
        return self._file is not None

    @property
    def descriptor(self) -> int:
        """The open file, for a process that is to have the lock from its first moment. The lock must be held."""
        if self._file is None:
            raise ValueError(f"{self.path} is not held")
        return self._file.fileno()

    def hand_over(self) -> None:
        """Leave the lock to the process that was started with it: closed here, and not unlocked."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def take(self, *, patience_s: float = 0.0) -> bool:
        """Whether the lock is ours now. Taking it again is harmless."""
        give_up_at = time.monotonic() + patience_s
        while not self._took():
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(PAUSE_S)
        return True

    def _took(self) -> bool:
        if self._file is None:
            self._file = _locked(self.path)
        return self._file is not None

    def release(self) -> None:
        """Give it up; harmless when it is not held. Unlocks by name: a forked child may share the open file."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()
            self._file = None


def _locked(path: Path) -> IO[bytes] | None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    if not _is_still(file, path):  # its owner removed it between our open and our lock: the name is another file now
        file.close()
        return None
    return file


def _is_still(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
